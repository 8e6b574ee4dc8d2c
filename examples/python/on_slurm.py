"""Each date a Slurm job, through submitit: pip install 'vizflow[cluster]'. The folder must be shared with the nodes.

Run it where examples/python/job.py has made its days.
"""

import vizflow as vf
from job import config, process_day

if __name__ == "__main__":
    with vf.cluster.slurm("slurm-jobs", cpus_per_task=1, mem_gb=1, timeout_min=10) as executor:
        report = vf.run_batch(process_day, config, ["20240102", "20240103", "20240104"], executor=executor)
    print(report)
