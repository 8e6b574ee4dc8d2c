"""Dates on Ray, here started on this machine: pip install 'vizflow[ray]'.

Run it where examples/python/job.py has made its days.
"""

import vizflow as vf
from job import config, process_day

if __name__ == "__main__":
    with vf.cluster.ray(num_cpus=1) as executor:
        report = vf.run_batch(process_day, config, ["20240102", "20240103", "20240104"], executor=executor)
    print(report)
