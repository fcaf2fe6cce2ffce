#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Whatever goes wrong in the plugin, no node is drained
# shellcheck disable=SC2154

load slurm

setup_file() {
	[ -z "$(slurm_missing)" ] || return 0
	make -s -C "$cluster_root" build/t/spank_faults.so
	export CLUSTER_CONF="PrologFlags=Alloc,Contain"
	clean_environment
	export CLUSTER_TOP
	CLUSTER_TOP=$(mktemp -d "${TMPDIR:-/tmp}/dsv-cluster.XXXXXX")
	cluster_start "$CLUSTER_TOP" \
		"optional $cluster_root/build/t/spank_faults.so dsv=@DIR@/bin/dsv"
	install -m 644 "$cluster_root/build/t/spank_faults.so" "$CLUSTER_DIR/lib/"
	echo "optional $CLUSTER_DIR/lib/spank_faults.so dsv=$CLUSTER_DIR/bin/dsv" \
		>"$CLUSTER_DIR/plugstack.conf"
	install -m 755 "$stub" "$CLUSTER_DIR/bin/dsv"
}

teardown_file() {
	[ -n "$CLUSTER_TOP" ] || return 0
	cluster_stop
	rm -rf "$CLUSTER_TOP"
}

setup() {
	need_slurm
	work_in_cluster
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
	# Where slurmstepd itself died, Slurm takes minutes to notice.
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
