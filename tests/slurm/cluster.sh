#!/bin/bash
# A SLURM cluster of one node on this machine, for tests: install (Debian or Ubuntu, as root), start, stop.
# Everything of it is in FOLDER but for munge's key, which the package makes. Needs no systemd.
set -euo pipefail

usage="usage: cluster.sh install | start FOLDER | stop FOLDER"
action=${1:?$usage}

if [ "$action" = install ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge
    exit
fi

folder=$(realpath -m "${2:?$usage}")
host=$(hostname -s)

pid_of() {
    [ -s "$folder/$1.pid" ] && kill -0 "$(cat "$folder/$1.pid")" 2>/dev/null
}

case $action in
start)
    mkdir -p "$folder"/{state,spool,log,munge}
    # munged refuses folders that others could write to, and sockets that they could not reach.
    chown munge: "$folder/munge"
    chmod 755 "$folder" "$folder/munge"
    cat > "$folder/slurm.conf" <<EOF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
# Requeued jobs wait for their old credential to expire, two minutes unless told otherwise.
AuthInfo=socket=$folder/munge/socket,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
ReturnToService=2
MinJobAge=30
KillWait=10
SchedulerParameters=sched_interval=2
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(free -m | awk '/^Mem:/ {print $2}') State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
EOF
    export SLURM_CONF=$folder/slurm.conf
    pid_of munged || setpriv --reuid=munge --regid=munge --clear-groups munged --force \
        --socket="$folder/munge/socket" --pid-file="$folder/munge/munged.pid" \
        --log-file="$folder/munge/munged.log" --seed-file="$folder/munge/seed"
    ln -sf munge/munged.pid "$folder/munged.pid"
    pid_of slurmctld || slurmctld
    pid_of slurmd || slurmd
    for _ in $(seq 60); do
        if [ "$(sinfo -h -o %T 2>/dev/null)" = idle ]; then
            echo "export SLURM_CONF=$SLURM_CONF"
            exit
        fi
        sleep 0.5
    done
    echo "the node did not become idle; see $folder/log" >&2
    exit 1
    ;;
stop)
    for daemon in slurmd slurmctld munged; do
        if pid_of "$daemon"; then
            pid=$(cat "$folder/$daemon.pid")
            kill "$pid"
            for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        fi
    done
    ;;
*)
    echo "$usage" >&2
    exit 2
    ;;
esac
