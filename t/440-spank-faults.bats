#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Whatever goes wrong in the plugin, no node is drained
# shellcheck disable=SC2154

load slurm

setup_file() {
	[ -z "$(slurm_missing)" ] || return 0
	make -s -C "$cluster_root" build/t/spank_faults.so
	export CLUSTER_CONF="PrologFlags=Alloc,Contain"
	start_cluster \
		"optional $cluster_root/build/t/spank_faults.so dsv=@DIR@/bin/dsv"
	install -m 644 "$cluster_root/build/t/spank_faults.so" "$CLUSTER_DIR/lib/"
	echo "optional $CLUSTER_DIR/lib/spank_faults.so dsv=$CLUSTER_DIR/bin/dsv" \
		>"$CLUSTER_DIR/plugstack.conf"
	install -m 755 "$stub" "$CLUSTER_DIR/bin/dsv"
}

setup() {
	need_slurm
	work_in_cluster
}

# What has ended need not have been reaped.
not_running() {
	[ ! -e "/proc/$1/stat" ] || grep -q '^State:.Z' "/proc/$1/status"
}

test_none_pending() {
	[ -z "$(squeue -h -t pd -o %i)" ]
}

@test "a callback that fails, hangs or dies drains no node" {
	local callback kind jobs=()

	for callback in init init_post_opt task_init task_exit exit; do
		for kind in fail hang die; do
			DSV_SPANK_FAULT=$callback:$kind submit --no-requeue \
				--dsv-fork=HEAD --wrap "echo ran"
			jobs+=("$job")
		done
	done
	# If slurmstepd itself died, Slurm takes minutes to notice.
	cluster_until 15 test_none_pending
	sleep 6
	scancel "${jobs[@]}"
	for job in "${jobs[@]}"; do
		cluster_wait_job "$job"
		echo "$job $(cluster_job_state "$job") $(cluster_job_exit "$job")"
	done
	cluster_assert_healthy
	assert "$(cluster_job_state "${jobs[6]}")" FAILED
}

@test "the nodes run jobs afterwards" {
	run -0 cluster_as srun -N4 echo ran
}

@test "a job without our options runs beside helpers that hang or die" {
	local hang die

	submit -w n1 --dsv-fork=start-hangs --wrap "echo ran"
	hang=$job
	cluster_until 10 grep -qs "^start .*job=$hang " "$calls"
	submit -w n1 --dsv-fork=start-dies --wrap "echo ran"
	die=$job
	submit -w n1 --wrap "echo ran; srun echo ran; exit 3"
	finished
	assert "$output" "ran
ran"
	assert "$exit" 3:0
	job=$die
	finished
	assert "$exit" 1:0
	[[ $output == *"' was killed by signal 9" ]]
	assert "$(cluster_job_state "$hang")" RUNNING
	cluster_as scancel "$hang"
	cluster_wait_job "$hang"
	# dsv was not run for it even once.
	assert "$(grep -c ^start "$calls")" 2
	cluster_assert_healthy
}

@test "the end is recorded without the job's environment, and leaves nothing" {
	local left

	cluster_as env EVIL=1 OPENSSL_CONF=/evil LD_PRELOAD= GCONV_PATH=/evil \
		PATH="/evil:$PATH" sbatch --parsable -o '%A_%a.out' \
		--dsv-fork=finish-leaves --wrap "echo ran" >id
	job=$(<id)
	finished
	assert "$exit" 0:0
	cluster_until 10 test -s "$CLUSTER_HOME/finish-left"
	left=$(<"$CLUSTER_HOME/finish-left")
	cluster_until 10 not_running "$left"
	run -0 grep -vE '^(DSV_|SLURM_|SLURMD_|HOME=|USER=|LOGNAME=|XDG_CONFIG_HOME=|TZ=|PWD=|SHLVL=|_=)' \
		"$CLUSTER_HOME/finish-env"
	assert "$output" "PATH=/usr/local/bin:/usr/bin:/bin"
	cluster_assert_healthy
}

# Links that the job's user can make must not be followed by the plugin's root.
@test "links to what does not belong to the user are neither read nor written" {
	local fork precious=$CLUSTER_DIR/precious

	install -m 755 "$cluster_root/build/dsv" "$CLUSTER_DIR/bin/dsv"
	work_in_repository
	install -d -m 755 "$precious"
	echo mine >"$precious/w"
	chmod 600 "$precious/w"

	# The directory of the files, and one on the way there.
	cluster_as ln -s "$precious" there
	for to in there there/below; do
		submit --dsv-fork=HEAD --dsv-to="$PWD/$to" --wrap 'echo ran'
		finished
		assert "$exit" 1:0
		[[ $output == "slurmstepd-n"*": error: dsv: "*"$PWD/$to"* ]]
		[[ $output != *ran* ]]
	done
	# This is the note beside it.
	cluster_as ln -s "$precious/w" noted.dsv
	submit --dsv-fork=HEAD --dsv-to="$PWD/noted" --wrap 'echo ran'
	finished
	assert "$exit" 1:0
	[[ $output == *"error: dsv: create '$PWD/noted.dsv': "* ]]

	# The repository keeps its jobs here.
	submit --dsv-fork=HEAD --hold --wrap 'echo ran'
	cluster_as sh -c 'rm -rf .dsv/jobs; ln -s "$1" .dsv/jobs' - "$precious"
	cluster_as scontrol release "$job"
	finished
	assert "$exit" 1:0
	[[ $output == *"error: dsv: "*"$PWD/.dsv/jobs/"* ]]

	assert "$(cd "$precious" && ls -A):$(cat "$precious/w")" w:mine
	cluster_assert_healthy
}
