"""Many machines: commands for a cluster's own submitter, and executors for Slurm, Dask and Ray.

Not for one machine's cores: `vizflow.run_batch` needs nothing of this there.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
import shlex
import string
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vizflow.config import Config
from vizflow.dates import check_dates
from vizflow.errors import ConfigError, Error
from vizflow.jobs import fingerprint, pipelines, settings
from vizflow.jobs.pipelines import Pipeline

__all__ = ["dask", "ray", "run_cluster", "slurm"]

TEMPLATE = "ailab create job --name={name} -- {command}"
_POLL = 0.2  # seconds between looking at jobs
_PLACES = ("date", "name", "command", "quoted")


def run_cluster(
    pipeline_fn: Pipeline,
    config: Config,
    dates: Sequence[str],
    *,
    template: str = TEMPLATE,
    python: str = "python",
    skip_existing: bool = False,
) -> list[str]:
    """Generate one cluster job's command for each date.

    Parameters
    ----------
    pipeline_fn
        A function at the top level of a module or of a .py file, which the cluster's machines see under the same
        path. A script that calls ``run_cluster`` itself may be that file: loading it in the job ends at that call.
    config
        The run's `Config`. Where it is a global of the function's module the job takes it from there, and refuses to
        run should it not be the same; otherwise it is written into the command.
    dates
        ``YYYYMMDD`` each.
    template
        The command, with the places ``{date}``; ``{name}`` (``vf_{date}``); ``{command}``, words quoted for a POSIX
        shell; ``{quoted}``, all of the command as one word. ``{{`` and ``}}`` are braces.
    python
        The interpreter on the cluster's machines.
    skip_existing
        Have each job leave a partial alone that is what it would make.

    Returns
    -------
    list of str
        A command a date, in order. Each runs ``python -m vizflow run`` for its date, saves the partial, and exits
        non-zero when that fails (1: the work failed, 2: the command is wrong).

    Raises
    ------
    ConfigError
        A date is no date; the function or the config has no form that a command can hold; the template has a place
        that is not known.

    Examples
    --------
    >>> import vizflow as vf
    >>> from vizflow.cli.showcase import process_day
    >>> config = vf.Config(input_dir="/data/trades", output_dir="/data/partials", horizons=[60, 300])
    >>> for command in vf.run_cluster(process_day, config, ["20240102", "20240103"]):
    ...     print(command)  # doctest: +ELLIPSIS
    ailab create job --name=vf_20240102 -- python -m vizflow run vizflow.cli.showcase:process_day 20240102 --config ...
    ailab create job --name=vf_20240103 -- python -m vizflow run vizflow.cli.showcase:process_day 20240103 --config ...

    Slurm without anything else installed:

    >>> sbatch = "sbatch --job-name={name} --mem=16G --wrap={quoted}"
    >>> vf.run_cluster(process_day, config, ["20240102"], template=sbatch)[0][:54]
    "sbatch --job-name=vf_20240102 --mem=16G --wrap='python"
    """
    pipelines.stop_loading("vf.run_cluster")
    days = check_dates(dates)
    _check_template(template)
    config.get_file_path("20000101"), config.get_partial_path("20000101")
    spec, root = pipelines.written(pipeline_fn)
    options = _config_options(pipeline_fn, config)
    if root is not None:
        options += ["--path", str(root)]
    if skip_existing:
        options += ["--skip-existing"]
    out = []
    for date in days:
        command = shlex.join([python, "-m", "vizflow", "run", spec, date, *options])
        values = {"date": date, "name": f"vf_{date}", "command": command, "quoted": shlex.quote(command)}
        out.append(template.format_map(values))
    return out


def _check_template(template: str) -> None:
    try:
        fields = [(name, spec, change) for _, name, spec, change in string.Formatter().parse(template)]
    except ValueError as error:
        raise ConfigError(
            f"the template is not well formed: {error}; braces that stay are written {{{{ }}}}"
        ) from error
    names = {name for name, _, _ in fields if name is not None}
    if not names <= set(_PLACES) or any(spec or change for name, spec, change in fields if name is not None):
        places = ", ".join(f"{{{name}}}" for name in _PLACES)
        raise ConfigError(f"the template's places are {places}; braces that stay are written {{{{ }}}}")
    if not names & {"command", "quoted"}:
        raise ConfigError("the template has neither {command} nor {quoted}, so its jobs would run nothing")


def _config_options(function: Pipeline, config: Config) -> list[str]:
    module = pipelines.module_of(function)
    for name, value in vars(module).items() if module is not None else ():
        if value is config:
            # The job starts elsewhere, so the folder that relative paths count from goes along.
            place = ["--chdir", str(Path.cwd())] if _has_relative_paths(config) else []
            return ["--config", name, "--config-id", config_id(config), *place]
    return ["--config", json.dumps(settings.to_mapping(config), separators=(",", ":"), ensure_ascii=False)]


def _has_relative_paths(config: Config) -> bool:
    paths = (config.input_dir, config.output_dir, config.calendar_path)
    return any(path is not None and not Path(path).is_absolute() for path in paths)


def config_id(config: Config) -> str:
    """Sum up a config, metrics by their names only, so that a job can tell whether it has the same."""
    paths = [str(config.input_dir), str(config.output_dir), config.input_pattern, str(config.calendar_path)]
    paths += [f"{name}={pattern}" for name, pattern in sorted(config.inputs.items())]
    text = json.dumps([paths, list(config.metrics), fingerprint.settings(config, None, with_metrics=False)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


# ---- executors ----------------------------------------------------------------------------------------------------


def _missing(engine: str, extra: str, error: ImportError) -> ConfigError:
    return ConfigError(f"{engine} is not installed here ({error}): pip install 'vizflow[{extra}]'")


class _Polled(concurrent.futures.Executor):
    """An executor over an engine whose jobs are asked, one after another, whether they have ended.

    ``look(job)`` gives None while a job is on, and then what gives its result or raises.
    """

    def __init__(
        self,
        submit: Callable[..., Any],
        look: Callable[[Any], Callable[[], Any] | None],
        cancel: Callable[[Any], Any],
    ) -> None:
        self._submit, self._look, self._cancel = submit, look, cancel
        self._jobs: dict[concurrent.futures.Future[Any], Any] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._thread: threading.Thread | None = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        """Submit a call as a job."""
        if self._closed:
            raise RuntimeError("cannot submit after shutdown")
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        with self._lock:
            self._jobs[future] = self._submit(fn, *args, **kwargs)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, daemon=True)
                self._thread.start()
        return future

    def _watch(self) -> None:
        while True:
            with self._lock:
                jobs = list(self._jobs.items())
                if not jobs:
                    self._thread = None
                    return
            for future, job in jobs:
                if self._has_ended(future, job):
                    with self._lock:
                        del self._jobs[future]
            time.sleep(_POLL)

    def _has_ended(self, future: concurrent.futures.Future[Any], job: Any) -> bool:
        try:
            if future.cancelled():
                self._cancel(job)
                return True
            take = self._look(job)
            if take is None:
                return False
            result = take()
        except BaseException as error:
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
        else:
            if future.set_running_or_notify_cancel():
                future.set_result(result)
        return True

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more jobs; wait for those there are, or cancel them."""
        self._closed = True
        with self._lock:
            futures, thread = list(self._jobs), self._thread
        if cancel_futures:
            for future in futures:
                future.cancel()
        if wait and thread is not None:
            thread.join()


def slurm(folder: str | os.PathLike[str] = "slurm-jobs", **parameters: Any) -> concurrent.futures.Executor:
    """Return an executor that runs each date as a Slurm job, through submitit.

    Parameters
    ----------
    folder
        A folder that this machine and the nodes share, for submitit's job files and logs. It is made, readable by
        its owner only, because submitit's job files are pickles.
    parameters
        What submitit's ``AutoExecutor.update_parameters`` takes: ``slurm_partition``, ``timeout_min``,
        ``cpus_per_task``, ``mem_gb``, ``slurm_array_parallelism``, ``slurm_additional_parameters``, ...

    Returns
    -------
    Executor
        For ``run_batch(executor=...)``; usable in ``with``.

    Raises
    ------
    ConfigError
        submitit is not installed, or there is no ``sbatch`` here.

    Examples
    --------
    >>> import vizflow as vf
    >>> def submit(process_day, config, dates):
    ...     with vf.cluster.slurm("jobs", slurm_partition="cpu", cpus_per_task=8, mem_gb=32) as executor:
    ...         return vf.run_batch(process_day, config, dates, executor=executor)
    """
    try:
        import submitit
    except ImportError as error:
        raise _missing("submitit", "cluster", error) from error
    place = Path(folder).resolve()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        engine = submitit.AutoExecutor(folder=place, cluster="slurm")
        engine.update_parameters(name="vizflow", **parameters)
    except (RuntimeError, NameError, TypeError, AssertionError) as error:
        raise ConfigError(f"Slurm cannot be used here: {error}") from error
    return _Polled(engine.submit, _SlurmQueue().look, lambda job: job.cancel())


class _SlurmQueue:
    """Whether jobs have ended, as squeue says: submitit asks sacct, which needs an accounting data base."""

    _ENDED = frozenset(
        [
            "BOOT_FAIL",
            "CANCELLED",
            "COMPLETED",
            "DEADLINE",
            "FAILED",
            "NODE_FAIL",
            "OUT_OF_MEMORY",
            "PREEMPTED",
            "REVOKED",
            "TIMEOUT",
        ]
    )
    _ASK = 1.0  # seconds between looks at the queue
    _GRACE = 5.0  # seconds that a shared folder may take to show a result

    def __init__(self) -> None:
        self._states: dict[str, str] | None = None
        self._asked = float("-inf")
        self._missed: dict[str, float] = {}

    def look(self, job: Any) -> Callable[[], Any] | None:
        """Return what takes a job's result, once it is there; or what raises, once it cannot come."""
        if job.paths.result_pickle.exists():
            return job.result  # type: ignore[no-any-return]
        state = self._state(str(job.job_id))
        if state is None:
            return None
        if time.monotonic() - self._missed.setdefault(job.job_id, time.monotonic()) < self._GRACE:
            return None
        raise Error(
            f"its Slurm job {job.job_id} ended ({state}) and left no result: it was killed, ran out of memory or time, "
            f"or could not start; its log is {job.paths.stderr}"
        )

    def _state(self, job_id: str) -> str | None:
        """Return the state in which a job has ended; None while it has not, or nothing is known."""
        if time.monotonic() - self._asked >= self._ASK:
            self._asked = time.monotonic()
            self._states = self._ask()
        if self._states is None:
            return None
        state = self._states.get(job_id, "no longer known to Slurm")
        return state if state in self._ENDED or " " in state else None

    @staticmethod
    def _ask() -> dict[str, str] | None:
        command = ["squeue", "--noheader", "--me", "--states=all", "--format=%A %T"]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        if said.returncode != 0:
            return None  # the controller is away; it comes back
        return dict(line.split(maxsplit=1) for line in said.stdout.splitlines() if " " in line.strip())


def dask(address: str | Any = None, **parameters: Any) -> concurrent.futures.Executor:
    """Return an executor over a Dask cluster.

    Parameters
    ----------
    address
        A scheduler's address (``"tcp://host:8786"``), a ``distributed.Client``, or a cluster object; None is a cluster
        of processes on this machine.
    parameters
        What ``distributed.Client`` takes.

    Returns
    -------
    Executor
        For ``run_batch(executor=...)``; usable in ``with``, which closes a client that was made here.

    Raises
    ------
    ConfigError
        ``distributed`` is not installed.

    Notes
    -----
    Start workers with one thread each and as many processes as memory allows (``dask worker --nthreads 1
    --nworkers auto``), and set ``POLARS_MAX_THREADS`` for them.

    Examples
    --------
    >>> import vizflow as vf
    >>> def submit(process_day, config, dates):
    ...     with vf.cluster.dask("tcp://scheduler:8786") as executor:
    ...         return vf.run_batch(process_day, config, dates, executor=executor)
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise _missing("dask.distributed", "dask", error) from error
    if isinstance(address, Client):
        return address.get_executor(pure=False, retries=0)  # type: ignore[no-any-return]
    return _OwnClient(Client(address, **parameters))


class _OwnClient(concurrent.futures.Executor):
    """A Dask client's executor that closes the client too."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._executor = client.get_executor(pure=False, retries=0)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        """Submit a call as a task."""
        return self._executor.submit(fn, *args, **kwargs)  # type: ignore[no-any-return]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more, and close the client."""
        self._executor.shutdown(wait=wait)
        self._client.close()


def ray(address: str | None = None, *, num_cpus: float = 1, **options: Any) -> concurrent.futures.Executor:
    """Return an executor over a Ray cluster.

    Parameters
    ----------
    address
        As ``ray.init`` takes it; None starts Ray on this machine, or joins what was started before in this process.
    num_cpus
        Cores a date is given; Polars' threads are limited to as many.
    options
        Further options of a Ray task: ``memory``, ``resources``, ...

    Returns
    -------
    Executor
        For ``run_batch(executor=...)``; usable in ``with``, which shuts down a Ray that was started here.

    Raises
    ------
    ConfigError
        Ray is not installed.

    Examples
    --------
    >>> import vizflow as vf
    >>> def submit(process_day, config, dates):
    ...     with vf.cluster.ray("auto", num_cpus=4) as executor:
    ...         return vf.run_batch(process_day, config, dates, executor=executor)
    """
    try:
        import ray as engine
    except ImportError as error:
        raise _missing("Ray", "ray", error) from error
    started = not engine.is_initialized()
    if started:
        engine.init(address=address, log_to_driver=False)
    threads = {"env_vars": {"POLARS_MAX_THREADS": str(max(1, int(num_cpus)))}}
    # A worker runs one date at a time; a date that fails or is killed is not tried again behind the report's back.
    given = {"num_cpus": num_cpus, "max_retries": 0, "runtime_env": threads, **options}
    return _Ray(engine, given, started)


class _Ray(concurrent.futures.Executor):
    """Each call a Ray task."""

    def __init__(self, engine: Any, options: dict[str, Any], started: bool) -> None:
        self._engine, self._options, self._started = engine, options, started
        self._open: dict[concurrent.futures.Future[Any], Any] = {}

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        """Submit a call as a task."""
        task = self._engine.remote(**self._options)(fn).remote(*args, **kwargs)
        future: concurrent.futures.Future[Any] = task.future()
        self._open[future] = task
        future.add_done_callback(self._settled)
        return future

    def _settled(self, future: concurrent.futures.Future[Any]) -> None:
        task = self._open.pop(future, None)
        if future.cancelled() and task is not None:
            self._engine.cancel(task, force=True)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more; stop Ray where this executor started it."""
        left = list(self._open)
        if cancel_futures:
            for future in left:
                future.cancel()
        if wait:
            concurrent.futures.wait(left)
        if self._started:
            self._engine.shutdown()
