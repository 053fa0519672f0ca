"""The machine of a cluster that a trial runs on."""

from .base import Factor


class Machine(Factor):
    name = "machine"
    group = "kernels"
    title = "Hardware and software of the machine"
    symptom = "Runs repeat on each machine of a cluster, and not from one to another."
    explanation = (
        "Libraries choose their kernels by the processor or the GPU, split sums by the number of "
        "cores, and round otherwise in another version: machines of another kind need not give the "
        "same bits."
    )
    because = "the cluster's machines are not all of one kind"
    pinned = "Trials run on machines of one kind: the one that most workers had at the start."
    free = "Trials run on each kind of machine in turn."
    varied = "Trials run on another kind of machine: the one that most of the other workers have."
    noticed = "A trial can't see it, so it counts as in use where workers are of several kinds."
    stress = "sensitivity"
    acts = "host"
    observable = False
    advice = (
        "Have the scheduler start the script on machines of one kind (a partition or a constraint "
        "of Slurm, a node type elsewhere), and give all of them the same packages."
    )


FACTOR = Machine()
