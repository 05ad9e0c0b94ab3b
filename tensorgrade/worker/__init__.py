"""The programs inside the sandbox: template and worker."""
