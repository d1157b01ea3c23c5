"""Who trains the variants: this process, processes of this machine, or machines of a cluster."""
