"""`hookline status`: the backlog, the owners of partitions, and the state of each service."""
