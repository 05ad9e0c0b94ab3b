"""Every person's server."""

c = get_config()  # noqa: F821 - Jupyter's
c.KernelManager.transport = "ipc"  # kernels talk over sockets in a folder of the person's own
c.MappingKernelManager.cull_idle_timeout = 1800  # seconds
c.MappingKernelManager.cull_interval = 300
