"""Peers of PCTrans behind the same contract: `losses(images, labels)` and `segment(images)`."""
