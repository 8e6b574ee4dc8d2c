"""Dates on a Dask cluster, here one of two processes on this machine: pip install 'vizflow[dask]'.

Run it where examples/python/job.py has made its days.
"""

from distributed import LocalCluster

import vizflow as vf
from job import config, process_day

if __name__ == "__main__":
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        vf.cluster.dask(cluster) as executor,
    ):
        report = vf.run_batch(process_day, config, ["20240102", "20240103", "20240104"], executor=executor)
    print(report)
