# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# A throwaway Slurm cluster on this host: munged, slurmctld and four slurmd
# (n1..n4), with all state in one directory.  Tests and `make demo` source it.
#
#   cluster_missing               print what has to be installed, if anything
#   cluster_start DIR [LINE...]   start, and wait until all nodes are idle
#   cluster_stop                  stop every process, even after a failed start
#   cluster_as COMMAND...         run as the user whose jobs these are
#   cluster_wait_job ID [SECONDS]           wait until the job has ended
#   cluster_wait_state ID STATE [SECONDS]   wait until it is in that state
#   cluster_job_state ID          print its state, one line per array task
#   cluster_job_exit ID           print its exit status as CODE:SIGNAL
#   cluster_requeue ID            requeue, without the two minutes' delay
#   cluster_kill_slurmd NODE      kill its slurmd, but not its jobs
#   cluster_lose_node NODE        kill it, with its jobs and its local disk
#   cluster_return_node NODE      bring it back, empty
#   cluster_assert_healthy        fail if a node is drained, down, has a reason
#
# LINE is a line of plugstack.conf in which @DIR@ stands for DIR; without one
# the plugin of this build is loaded if it exists, and with LINE "#" none is.
# The build is copied to DIR/bin and DIR/lib, so that a job's user can reach it
# wherever the source tree is, and DIR/bin comes first in PATH.
#
# The lines of $CLUSTER_CONF are added to slurm.conf.
#
# Two clusters can run at the same time.  DIR must be reachable by any user; for
# root, jobs belong to the user dsvtest, who is created if necessary.  Each node
# has its own directory at $CLUSTER_LOCAL if root may mount (CLUSTER_PRIVATE=1).
# The daemons also end when the shell that started them is gone.

cluster_root=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
cluster_nodes=4

cluster_missing() {
	local cmd want=()

	PATH=$PATH:/usr/sbin:/sbin
	for cmd in munged:munge slurmctld:slurmctld slurmd:slurmd \
	    sbatch:slurm-client setpriv:util-linux; do
		command -v "${cmd%:*}" >/dev/null || want+=("${cmd#*:}")
	done
	echo "${want[*]}"
}

# Print the user whose jobs run.  No job may run as root: that hides mistakes.
cluster_user() {
	CLUSTER_USER=$(id -un)
	CLUSTER_HOME=$CLUSTER_DIR/home
	if [ "$(id -u)" = 0 ]; then
		CLUSTER_USER=dsvtest
		id dsvtest >/dev/null 2>&1 ||
			useradd --system --no-create-home --user-group \
				--home-dir /nonexistent --shell /bin/bash dsvtest \
				>/dev/null || return
	fi
	install -d "$CLUSTER_HOME" || return
	[ "$(id -u)" != 0 ] || chown dsvtest:dsvtest "$CLUSTER_HOME" || return
	export CLUSTER_USER CLUSTER_HOME
}

# The environment is that of a login, so that it has what a CI service leaves
# out of its own, such as SHELL.
cluster_as() {
	local run=()

	if [ "$(id -un)" != "$CLUSTER_USER" ]; then
		run=(setpriv --reuid "$CLUSTER_USER" --regid "$CLUSTER_USER"
			--init-groups)
	fi
	"${run[@]}" env -u XDG_CONFIG_HOME -u XDG_CACHE_HOME -u XDG_RUNTIME_DIR \
		HOME="$CLUSTER_HOME" USER="$CLUSTER_USER" \
		LOGNAME="$CLUSTER_USER" SHELL=/bin/sh "$@"
}

# Print the first of a run of free ports, drawn at random so that two starts
# rarely collide.
cluster_free_ports() {
	local base port try

	for try in {1..50}; do
		base=$((20000 + (RANDOM % 1000) * 10 + try % 2 * 5))
		for ((port = base; port <= base + cluster_nodes; port++)); do
			grep -qi ":$(printf %04X "$port") " /proc/net/tcp \
				/proc/net/tcp6 2>/dev/null && continue 2
		done
		echo "$base"
		return 0
	done
	echo "cluster: no free ports" >&2
	return 1
}

cluster_conf() {
	local dir=$1 host=$2 port=$3 n

	cat <<-END
	ClusterName=dsvtest
	SlurmctldHost=$host(127.0.0.1)
	SlurmctldPort=$port
	AuthType=auth/munge
	AuthInfo=socket=$dir/munge/socket
	CredType=cred/munge
	SlurmUser=$(id -un)
	SlurmdUser=$(id -un)
	StateSaveLocation=$dir/ctld
	SlurmdSpoolDir=$dir/spool/%n
	SlurmctldPidFile=$dir/slurmctld.pid
	SlurmdPidFile=$dir/slurmd.%n.pid
	SlurmctldLogFile=$dir/log/slurmctld
	SlurmdLogFile=$dir/log/%n
	SlurmctldDebug=verbose
	SlurmdDebug=debug2
	PlugStackConfig=$dir/plugstack.conf
	ProctrackType=proctrack/linuxproc
	TaskPlugin=task/none
	SwitchType=switch/none
	MpiDefault=none
	JobAcctGatherType=jobacct_gather/none
	AccountingStorageType=accounting_storage/none
	JobCompType=jobcomp/filetxt
	JobCompLoc=$dir/jobcomp.txt
	SelectType=select/cons_tres
	SelectTypeParameters=CR_Core
	SchedulerType=sched/backfill
	SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1,requeue_delay=1
	SlurmdParameters=config_overrides
	ReturnToService=2
	JobRequeue=1
	KillWait=2
	MinJobAge=3600
	InactiveLimit=0
	UnkillableStepTimeout=30
	MessageTimeout=30
	MailProg=/bin/true
	END
	for ((n = 1; n <= cluster_nodes; n++)); do
		echo "NodeName=n$n NodeHostname=$host NodeAddr=127.0.0.1" \
			"Port=$((port + n)) CPUs=4 Sockets=1 CoresPerSocket=4" \
			"ThreadsPerCore=1 RealMemory=1000 State=UNKNOWN"
	done
	echo "PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE" \
		"State=UP OverSubscribe=NO"
	echo "${CLUSTER_CONF:-}"
}

# Start a daemon and note its pid in pids, for cluster_stop.  Only 0-2 stay
# open, else Bats waits for the daemon at the end.  A subshell of a subshell does
# not lead a process group, so that setsid need not fork.
cluster_spawn() {
	local name=$1
	shift

	(
		(
			for fd in /proc/self/fd/*; do
				fd=${fd##*/}
				[ "$fd" -le 2 ] || eval "exec $fd>&-"
			done
			ulimit -c 0 && cd "$CLUSTER_DIR" || exit
			exec setsid "$@"
		) </dev/null >>"$CLUSTER_DIR/log/$name.out" 2>&1 &
		echo "$! $name" >>"$CLUSTER_DIR/pids"
	)
}

cluster_spawn_node() {
	local run=()

	if [ "$CLUSTER_PRIVATE" = 1 ]; then
		# shellcheck disable=SC2016
		run=(unshare -m --propagation private sh -c '
			mount -t tmpfs -o mode=1777 tmpfs "$0" && exec "$@"' \
			"$CLUSTER_LOCAL")
	fi
	install -d "$CLUSTER_DIR/spool/$1"
	cluster_spawn "$1" "${run[@]}" slurmd -D -N "$1" \
		-f "$CLUSTER_DIR/slurm.conf"
}

# Ctrl-C reaches neither a trap of Bats nor a daemon in its own session, so the
# cluster ends when the shell that started it is gone.
cluster_watch() {
	# shellcheck disable=SC2016
	cluster_spawn watch bash -c '
		while kill -0 "$2" 2>/dev/null; do
			sleep 1
			[ -e "$3/pids" ] || exit 0
		done
		. "$1"; CLUSTER_DIR=$3; export SLURM_CONF=$3/slurm.conf
		cluster_stop' - "$cluster_root/t/cluster.bash" $$ "$CLUSTER_DIR"
}

cluster_install() {
	local dir=$1

	install -d "$dir/bin" "$dir/lib"
	if [ -e "$cluster_root/build/dsv" ]; then
		install -m 755 "$cluster_root/build/dsv" "$dir/bin/dsv"
	fi
	if [ -e "$cluster_root/build/spank_dsv.so" ]; then
		install -m 644 "$cluster_root/build/spank_dsv.so" "$dir/lib/"
	fi
}

cluster_start() {
	local dir=$1 host port n line
	shift

	host=$(uname -n)
	host=${host%%.*}
	PATH=$PATH:/usr/sbin:/sbin
	mkdir -p "$dir" && chmod 755 "$dir" || return
	dir=$(cd "$dir" && pwd) || return
	export CLUSTER_DIR=$dir CLUSTER_LOCAL=$dir/local CLUSTER_PRIVATE=0
	cluster_user || return
	if ! cluster_as test -x "$dir"; then
		echo "cluster: $CLUSTER_USER cannot reach '$dir'" >&2
		return 1
	fi
	# The tests may themselves run in a job of another cluster.
	unset "${!SLURM_@}" "${!SLURMD_@}" "${!SBATCH_@}" "${!SRUN_@}" \
		"${!SALLOC_@}" "${!SQUEUE_@}" "${!SINFO_@}"
	mkdir -p "$dir"/{log,ctld,spool,local}
	install -d -m 711 "$dir/munge"
	chmod 1777 "$dir/local"
	cluster_install "$dir"
	export PATH=$dir/bin:$PATH SLURM_CONF=$dir/slurm.conf
	port=$(cluster_free_ports) || return
	cluster_conf "$dir" "$host" "$port" >"$dir/slurm.conf"
	echo "CgroupPlugin=cgroup/v1" >"$dir/cgroup.conf"
	[ $# -gt 0 ] || set -- "optional @DIR@/lib/spank_dsv.so dsv=@DIR@/bin/dsv"
	for line in "$@"; do
		[ "$line" = "${line/spank_dsv.so/}" ] ||
			[ -e "$dir/lib/spank_dsv.so" ] || continue
		echo "${line//@DIR@/$dir}"
	done >"$dir/plugstack.conf"
	if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
		CLUSTER_PRIVATE=1
	fi

	head -c 1024 /dev/urandom >"$dir/munge/key"
	chmod 400 "$dir/munge/key"
	cluster_spawn munged munged --foreground --force --num-threads=2 \
		--socket="$dir/munge/socket" --key-file="$dir/munge/key" \
		--pid-file="$dir/munge/pid" --log-file="$dir/log/munged" \
		--seed-file="$dir/munge/seed"
	cluster_watch
	cluster_until 10 test -S "$dir/munge/socket" || return
	cluster_spawn slurmctld slurmctld -D -i -f "$dir/slurm.conf"
	for ((n = 1; n <= cluster_nodes; n++)); do
		cluster_spawn_node "n$n"
	done
	if ! cluster_until 30 cluster_is_idle; then
		echo "cluster: nodes did not come up" >&2
		tail -n 5 "$dir"/log/* >&2
		return 1
	fi
}

# Run COMMAND every 0.1 s until it succeeds, for at most SECONDS.
cluster_until() {
	local end=$((SECONDS + $1))
	shift

	until "$@"; do
		[ "$SECONDS" -le "$end" ] || return 1
		sleep 0.1
	done
}

cluster_is_idle() {
	[ "$(sinfo -h -N -t idle -o %N 2>/dev/null | sort -u | wc -l)" = \
		"$cluster_nodes" ]
}

cluster_job_state() {
	squeue -h -r -t all -j "$1" -o %T
}

cluster_job_exit() {
	scontrol -o show job "$1" | sed -n 's/.* ExitCode=\([0-9:]*\).*/\1/p'
}

cluster_job_has_ended() {
	local states

	states=$(cluster_job_state "$1") || return
	! grep -qvE '^(BOOT_FAIL|CANCELLED|COMPLETED|DEADLINE|FAILED|NODE_FAIL|OUT_OF_MEMORY|PREEMPTED|TIMEOUT)' <<<"$states"
}

cluster_wait_job() {
	if ! cluster_until "${2:-30}" cluster_job_has_ended "$1"; then
		echo "cluster: job $1 has not ended in ${2:-30} s:" \
			"$(cluster_job_state "$1")" >&2
		return 1
	fi
}

cluster_job_is() {
	[ "$(cluster_job_state "$1" | sort -u)" = "$2" ]
}

cluster_wait_state() {
	if ! cluster_until "${3:-30}" cluster_job_is "$1" "$2"; then
		echo "cluster: job $1 is not $2 after ${3:-30} s:" \
			"$(cluster_job_state "$1")" >&2
		return 1
	fi
}

# Slurm waits 121 s, until the credential of the first attempt has expired,
# before the next attempt.  slurmd refuses a credential of the same second in
# which it ended the first.
cluster_requeue() {
	cluster_as scontrol requeue "$1" || return
	cluster_until 10 cluster_can_start_now "$1" || return
}

cluster_can_start_now() {
	cluster_job_is "$1" PENDING &&
		cluster_as scontrol update JobId="$1" StartTime=now+1
}

# Kill the slurmd of a node; its jobs continue.
cluster_kill_slurmd() {
	kill -KILL "$(sed -n "s/ $1$//p" "$CLUSTER_DIR/pids")" || return
	sed -i "/ $1$/d" "$CLUSTER_DIR/pids"
}

# Cut the power of a node: all its processes and its disk are lost.
cluster_lose_node() {
	local pid

	cluster_kill_slurmd "$1" || return
	pid=$(cluster_job_pids "$1")
	# shellcheck disable=SC2086
	[ -z "$pid" ] || kill -KILL $pid
	scontrol update NodeName="$1" State=DOWN Reason=power
}

cluster_return_node() {
	cluster_spawn_node "$1"
	cluster_until 20 cluster_node_is "$1" 'idle|down' || return
	scontrol update NodeName="$1" State=RESUME || :
	cluster_until 20 cluster_node_is "$1" idle
}

cluster_node_is() {
	[[ $(sinfo -h -n "$1" -o %T) =~ ^($2)$ ]]
}

cluster_assert_healthy() {
	local bad

	bad=$(sinfo -h -R; sinfo -h -N -t drain,down,fail -o '%N %T')
	if [ -n "$bad" ]; then
		echo "cluster: a node is not healthy: $bad" >&2
		return 1
	fi
}

# Print the slurmstepds of this cluster, or of its node $1, and their
# descendants.  The log that they write identifies them: their titles overwrite
# the environment and do not name the node.
cluster_job_pids() {
	local dir comm pids=() new

	for dir in /proc/[0-9]*; do
		read -r comm <"$dir/comm" || continue
		[ "$comm" = slurmstepd ] || continue
		[ -z "$(find "$dir/fd" -lname "$CLUSTER_DIR/log/${1:-*}")" ] ||
			pids+=("${dir#/proc/}")
	done 2>/dev/null
	new=("${pids[@]}")
	while [ ${#new[@]} -gt 0 ]; do
		mapfile -t new < <(ps -o pid= --ppid "${new[*]}" | tr -d ' ')
		pids+=("${new[@]}")
	done
	echo "${pids[*]}"
}

cluster_has_no_jobs() {
	[ -z "$(timeout 5 squeue -h -t r,cg,s -o %A 2>/dev/null)" ]
}

cluster_are_gone() {
	local pid

	for pid in "$@"; do
		! grep -qs '^State:	[^ZX]' "/proc/$pid/status" || return 1
	done
}

cluster_stop() {
	local pid name pids=()

	[ -n "${CLUSTER_DIR:-}" ] && [ -e "$CLUSTER_DIR/pids" ] || return 0
	while read -r pid name; do
		[ "$pid" = $$ ] || pids+=("$pid")
	done <"$CLUSTER_DIR/pids"
	rm -f "$CLUSTER_DIR/pids"
	if ! cluster_has_no_jobs; then
		squeue -h -o %A | sort -u | xargs -r timeout 5 scancel --signal=KILL --full
		squeue -h -o %A | sort -u | xargs -r timeout 5 scancel
		cluster_until 3 cluster_has_no_jobs || :
	fi
	# shellcheck disable=SC2046
	kill -KILL $(cluster_job_pids) 2>/dev/null || :
	kill "${pids[@]}" 2>/dev/null || :
	cluster_until 5 cluster_are_gone "${pids[@]}" ||
		kill -KILL "${pids[@]}" 2>/dev/null || :
}
