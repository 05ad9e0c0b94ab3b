#!/bin/bash
#SBATCH --job-name=tensorgrade
#SBATCH --chdir={{homedir}}
#SBATCH --output={{homedir}}/.tensorgrade-server.log
#SBATCH --export={{keepvars}}
#SBATCH --nodes=1
#SBATCH --cpus-per-task={{nprocs}}
#SBATCH --mem={{memory}}
#SBATCH --time={{runtime}}
{% if partition %}#SBATCH --partition={{partition}}
{% endif %}{% if gres %}#SBATCH --gres={{gres}}
{% endif %}{% if reservation %}#SBATCH --reservation={{reservation}}
{% endif %}{% if account %}#SBATCH --account={{account}}
{% endif %}{% if qos %}#SBATCH --qos={{qos}}
{% endif %}
# The job's environment is the hub's list, not what a login shell would make of it (no --get-user-env).
set -euo pipefail
umask 077
exec {{srun}} {{cmd}}
