#!/usr/bin/env bash
# A Slurm cluster of one node, this machine, for the tests: `slurm_one_node.sh start|stop|run COMMAND...`.
# Debian's slurm-wlm and munge, installed if they are not there. Needs root. Not for production: one partition, no accounts.
#
# `run` starts it, runs the command with SLURM_CONF set, and stops it, whatever the command did.
set -euo pipefail

state=${SLURM_ONE_NODE_DIR:-/var/tmp/slurm-one-node}
conf=$state/slurm.conf

install_packages() {
    command -v slurmctld > /dev/null && command -v slurmd > /dev/null && command -v munged > /dev/null && return
    apt-get update -qq
    # Their services are not started: what is started here stops here.
    local policy=/usr/sbin/policy-rc.d made=
    [ -e $policy ] || { made=1 && printf '#!/bin/sh\nexit 101\n' > $policy && chmod +x $policy; }
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq slurm-wlm munge > /dev/null
    [ -z "$made" ] || rm -f $policy
}

start() {
    install_packages
    stop
    mkdir -p "$state"/{ctld,d,munge} && chmod 755 "$state" && chmod 700 "$state/munge"
    local node cores memory
    node=$(hostname -s) cores=$(nproc)
    memory=$(awk '/MemTotal/ { print int($2 / 1024 * 0.9) }' /proc/meminfo)
    head -c 1024 /dev/urandom > "$state/munge/key" && chmod 400 "$state/munge/key"
    cat > "$conf" <<CONF
ClusterName=one
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=36817
SlurmdPort=36818
SlurmUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$state/munge/socket
CredType=cred/munge
StateSaveLocation=$state/ctld
SlurmdSpoolDir=$state/d
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/slurmd.pid
SlurmctldLogFile=$state/slurmctld.log
SlurmdLogFile=$state/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,batch_sched_delay=0
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SwitchType=switch/none
NodeName=$node NodeAddr=127.0.0.1 CPUs=$cores RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=$node Default=YES MaxTime=60 State=UP
CONF
    munged --force --key-file="$state/munge/key" --socket="$state/munge/socket" --pid-file="$state/munge/pid" \
        --seed-file="$state/munge/seed" --log-file="$state/munge/log"
    slurmctld -f "$conf"
    slurmd -f "$conf" -N "$node"
    for _ in $(seq 60); do
        [ "$(SLURM_CONF=$conf sinfo -h -o %T 2> /dev/null)" = idle ] && return
        sleep 0.5
    done
    echo "slurm_one_node.sh: the node did not come up" >&2
    tail -n 20 "$state"/slurmctld.log "$state"/slurmd.log "$state"/munge/log >&2
    stop
    exit 1
}

stop() {
    local file pid
    for file in "$state"/slurmd.pid "$state"/slurmctld.pid "$state"/munge/pid; do
        [ -s "$file" ] || continue
        pid=$(cat "$file")
        kill "$pid" 2> /dev/null || continue
        for _ in $(seq 50); do
            kill -0 "$pid" 2> /dev/null || break
            sleep 0.1
        done
        kill -9 "$pid" 2> /dev/null || true
    done
    rm -rf "$state"
}

case ${1:-} in
    start) start && echo "export SLURM_CONF=$conf" ;;
    stop) stop ;;
    run)
        shift
        start
        trap stop EXIT
        SLURM_CONF=$conf "$@"
        ;;
    possible) [ "$(id -u)" = 0 ] && { command -v slurmctld || command -v apt-get; } > /dev/null ;;
    *)
        sed -n '2,5s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
esac
