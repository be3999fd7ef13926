"""The seam between "do this" and who does it, in which process, when. The truth is in the hub's tables; a job is only a doorbell."""
