"""Training the model of a job, in this process or in several that share its batches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from benchmarks.data import Dataset, open_dataset
from benchmarks.errors import UserError
from benchmarks.machine.allocator import keep_freed_memory
from benchmarks.machine.environment import peak_memory_bytes, reset_peak_memory
from benchmarks.plan.job import Job, refuse_changed_data
from benchmarks.plan.methods import get_method
from benchmarks.plan.resolving import refuse_changed_weights
from benchmarks.plan.starting import without_pretrained
from benchmarks.run.prediction import validate
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.models.saved_model import TrainingData, save_model
from benchmarks.store.models.starting_model import starting_state
from benchmarks.tiling.magnification import median_diameter
from benchmarks.training import TrainingReport, train
from benchmarks.training.batches import BatchSource, derived_seed, slots_of_process
from benchmarks.training.processes import Tell, run_processes
from benchmarks.training.watcher import Watcher
from pctrans.distributed import rank, world_size


@dataclass(frozen=True)
class JobTraining:
    """How training went.

    Attributes:
        peak_memory_bytes: of the process that needed most.
    """

    report: TrainingReport
    peak_memory_bytes: int


def check_processes(job: Job, device: str, processes: int) -> None:
    """Whether so many processes, one accelerator each, can train a job.

    Raises:
        UserError: its batches cannot be shared out evenly, or there are too few accelerators.
    """
    if not job.trained or processes == 1:
        return
    for name in ("batch_size", "micro_batch_size"):
        size = getattr(job.training, name)
        if size is not None and size % processes:
            raise UserError(
                f"training.{name} {size} cannot be shared by {processes} processes of one job: each takes as many "
                f"crops as the others. Choose a number of processes that divides {size}, or another {name}."
            )
    _devices(device, processes)


def _devices(device: str, processes: int) -> list[str]:
    """A device for each process."""
    if device == "cpu":
        return ["cpu"] * processes
    if device != "cuda":
        raise UserError(
            f"device '{device}' is one device, but {processes} processes of one job need as many: choose 'cuda' for "
            "the first accelerators that are visible, or 'cpu'."
        )
    visible = torch.cuda.device_count()
    if visible < processes:
        raise UserError(
            f"{processes} processes of one job need an accelerator each, but {visible} are visible: choose fewer "
            "processes, or make more visible (CUDA_VISIBLE_DEVICES)."
        )
    return [f"cuda:{index}" for index in range(processes)]


def train_job(
    job: Job, dataset: Dataset, folder: JobFolder, device: str, watcher: Watcher, processes: int = 1
) -> JobTraining:
    """Train from wherever an earlier start left it, and leave the model in `folder`/model.

    The numbers depend on `processes` by rounding only: a batch is the job's, however many share it.

    Raises:
        UserError: pretrained weights, a model to start from or data that cannot be had.
        NonFiniteLossError: names the iteration, the terms and the images.
    """
    if processes == 1:
        report = _train(job, dataset, folder, device, watcher)
        return JobTraining(report, peak_memory_bytes(device))
    arguments = (job, dataset.spec, dataset.decoding, folder)
    devices = _devices(device, processes)
    members = run_processes(
        _train_slice,
        arguments,
        devices,
        lambda name, *what: getattr(watcher, name)(*what),
        job.training.threads,
    )
    return JobTraining(members[0].report, max(member.peak_memory_bytes for member in members))


def _train_slice(device: str, tell: Tell, job: Job, spec: str, decoding: str, folder: JobFolder) -> JobTraining:
    """What each of several processes does."""
    keep_freed_memory()
    reset_peak_memory(device)
    training, validation, saved = (partial(tell, name) for name in ("training", "validation", "saved"))
    dataset = open_dataset(spec, decoding=decoding)
    refuse_changed_data(job.data, dataset)
    watcher = Watcher(training=training, validation=validation, saved=saved)
    report = _train(job, dataset, folder, device, watcher)
    return JobTraining(report, peak_memory_bytes(device))


def _train(job: Job, dataset: Dataset, folder: JobFolder, device: str, watcher: Watcher) -> TrainingReport:
    method = get_method(job.method)
    torch.manual_seed(derived_seed(job.seed, "weights"))
    # A checkpoint replaces the weights that training starts from, which need not be at hand any more.
    resumed = folder.checkpoint.exists()
    if not resumed:
        refuse_changed_weights(job)
        if rank() == 0:
            folder.forget_what_a_model_made()
    model = method.build(without_pretrained(job.model) if resumed else job.model)
    assert isinstance(model, torch.nn.Module), f"{job.method} is trained, so it has to be a torch module"
    if job.started_from is not None and not resumed:
        model.load_state_dict(starting_state(job.started_from))
    model.to(device)

    def validated(current: torch.nn.Module) -> dict[str, float]:
        metrics = validate(current, job, dataset, device)  # type: ignore[arg-type]
        watcher.validation(metrics)
        watcher.saved(folder.path)
        return metrics

    kept = TrainingData.of(dataset) if rank() == 0 else None  # now, as files may be gone when hours are over
    report = train(
        model,
        BatchSource.of_job(job, dataset, slots=slots_of_process(job.training, rank(), world_size())),
        job.training,
        seed=job.seed,
        folder=folder,
        device=torch.device(device),
        validate=validated,
        progress=watcher.training,
        stopping=watcher.stopping,
    )
    if rank() == 0:  # also where a model is there: it may be half of one, or of weights that were lost since
        maps = (labels for id in dataset.ids("train") if (labels := dataset.load(id).labels) is not None)
        save_model(model, job, folder.model, diameter=median_diameter(maps), data=kept)
    return report
