#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The plugin in sbatch, without a cluster: what is submitted, what is refused
# shellcheck disable=SC2030,SC2031,SC2154

load slurm

setup_file() {
	local dir=$BATS_FILE_TMPDIR

	[ -z "$(slurm_missing)" ] || return 0
	mkdir -p "$dir/bin" "$dir/home"
	cp "$stub" "$dir/bin/dsv"
	cc -shared -fPIC -o "$dir/shim.so" "$cluster_root/t/spank/shim.c"
	cat >"$dir/slurm.conf" <<-END
	ClusterName=none
	SlurmctldHost=localhost(127.0.0.1)
	SlurmctldPort=9
	AuthType=auth/none
	CredType=cred/none
	PlugStackConfig=$dir/plugstack.conf
	NodeName=n1 CPUs=1
	PartitionName=p Nodes=n1 Default=YES
	END
}

setup() {
	need_slurm
	clean_environment
	dir=$BATS_FILE_TMPDIR
	export SLURM_CONF=$dir/slurm.conf SHIM_OUT=$BATS_TEST_TMPDIR/submitted
	calls=$dir/home/calls
	rm -f "$calls"
	plugstack "dsv=$dir/bin/dsv timeout=1"
	cd "$BATS_TEST_TMPDIR" || return
	printf '#!/bin/sh\n' >job
}

plugstack() {
	echo "${2:-optional} $plugin $1" >"$dir/plugstack.conf"
}

sbatch() {
	local want=0

	case $1 in -[0-9]) want=${1#-}; shift ;; esac
	rm -f "$SHIM_OUT"
	echo "+ sbatch $*"
	LD_PRELOAD=$dir/shim.so run "-$want" --separate-stderr \
		/usr/bin/env sbatch "$@"
	echo "$stderr"
}

# Require that sbatch says this one line, prints nothing, and submits nothing.
refused() {
	local why=$1
	shift

	sbatch -1 "$@"
	assert "$stderr" "sbatch: error: dsv: $why"
	assert "$output" ""
	[ ! -e "$SHIM_OUT" ]
}

# Print a variable of the submitted environment.
submitted() {
	sed -n "s/^env $1=//p" "$SHIM_OUT"
}

has_ticket() {
	[[ $(submitted SLURM_SPANK_DSV_TICKET) =~ ^[0-9a-f]{32}$ ]]
	assert "$(submitted SLURM_SPANK_DSV_REPO)" "$PWD"
	[[ $(submitted SLURM_SPANK_DSV_STATE) =~ ^[0-9a-f]{64}$ ]]
	assert "$(submitted SLURM_SPANK_DSV_V)" 1
}

has_no_trace() {
	run ! grep -E '^(env|job) (_?SLURM_SPANK_|DSV_TICKET)' "$SHIM_OUT"
	[ ! -e "$calls" ]
}

prepared_with() {
	assert "$(sed '1s/^[^[]*//' "$calls")" "$1"
}

@test "the options are in sbatch --help" {
	run -0 env sbatch --help
	for option in fork=REV set=K=V unset=K sweep=K=V,V branch=NAME to=DIR \
	    'parts=all|mine' \
	    repo=DIR message=TEXT; do
		[[ $output == *" --dsv-$option "* ]]
	done
}

@test "the ticket survives every --export, and stdout is the job's id" {
	printf 'A=1\0' >env-file
	for export in --export=ALL --export=NONE --export=FOO --export=ALL,A=1 \
	    --export-file="$PWD/env-file"; do
		sbatch --parsable "$export" --dsv-fork=HEAD job
		assert "$output" 4242
		assert "$stderr" ""
		has_ticket
		grep -qx "job DSV_TICKET=.*" "$SHIM_OUT"
	done
}

@test "every option reaches dsv, #SBATCH lines first, all of a repeated one" {
	cat >job <<-'END'
	#!/bin/sh
	#SBATCH --dsv-fork=max:acc --dsv-set=lr=0.1
	#SBATCH --dsv-set=bs=32
	END
	sbatch --dsv-set '+note=a, "b" = c' --dsv-unset=old --dsv-set 'o:={"k":1}' \
		--dsv-sweep=lr=1,2 --dsv-branch=b/2 --dsv-to=/local/%j \
		--dsv-parts=mine \
		--dsv-message=$'why\nnot' job
	has_ticket
	prepared_with '[--fork=max:acc] [--set=lr=0.1] [--set=bs=32] [--set=+note=a, "b" = c] [--unset=old] [--set=o:={"k":1}] [--sweep=lr=1,2] [--branch=b/2] [--to=/local/%j] [--parts=mine] [--message=why
not] [--array=0-1] [--porcelain]'
}

@test "--dsv-repo and the last --dsv-fork count" {
	mkdir r
	sbatch --dsv-repo="$PWD/r" --dsv-fork=HEAD --dsv-fork=HEAD~1 job
	grep -q " repo=$PWD/r " "$calls"
	assert "$(submitted SLURM_SPANK_DSV_REPO)" "$PWD/r"
	[[ $(<"$calls") == *"[--fork=HEAD] [--fork=HEAD~1]"* ]]
}

@test "what dsv refuses is refused in its words, optional or required" {
	refused "no such state 'unknown'" --dsv-fork=unknown job
	plugstack "dsv=$dir/bin/dsv" required
	refused "no such state 'unknown'" --dsv-fork=unknown job
}

@test "options that make no sense are refused without asking dsv" {
	refused "--dsv-set needs KEY=VALUE, not 'lr'" --dsv-fork=HEAD --dsv-set=lr job
	refused "--dsv-set needs KEY=VALUE, not '=1'" --dsv-fork=HEAD --dsv-set==1 job
	refused "--dsv-set needs KEY=VALUE, not '1a=1'" --dsv-fork=HEAD --dsv-set=1a=1 job
	refused "--dsv-set needs KEY=VALUE, not 'a=1'" --dsv-fork=HEAD \
		--dsv-set=$'a=1\nb=2' job
	refused "--dsv-unset needs KEY, not 'a=1'" --dsv-fork=HEAD --dsv-unset=a=1 job
	refused "--dsv-fork needs a value of one line, not ''" --dsv-fork= job
	refused "--dsv-set needs --dsv-fork" --dsv-set=a=1 job
	refused "--dsv-to needs --dsv-fork" --dsv-to=/x --dsv-repo=/y job
	[ ! -e "$calls" ]
}

@test "values may be 30 KiB long, not 64" {
	value=$(head -c 30720 /dev/zero | tr '\0' x)
	sbatch --dsv-fork=HEAD --dsv-set="a=$value" job
	has_ticket
	refused "the --dsv-* options are longer than 64 KiB" --dsv-fork=HEAD \
		--dsv-set="a=$value" --dsv-set="b=$value" --dsv-set="c=$value" job
}

@test "a dsv that hangs, dies, or is another version is reported" {
	refused "'$dir/bin/dsv' did not answer in 1 s" --dsv-fork=hang job
	refused "'$dir/bin/dsv' was killed by signal 11" --dsv-fork=crash job
	refused "'$dir/bin/dsv' and the plugin have different versions" \
		--dsv-fork=garbage job
}

@test "a missing dsv is reported to those who ask for it" {
	plugstack "dsv=/nowhere/dsv"
	refused "run '/nowhere/dsv': No such file or directory" --dsv-fork=HEAD job
	sbatch job
	assert "$stderr" ""
	has_no_trace
}

@test "a mistake in plugstack.conf is reported to those who ask for dsv" {
	for bad in "colour=red" "dsv=dsv" "timeout=0" "timeout=1h"; do
		plugstack "dsv=$dir/bin/dsv $bad"
		refused "plugstack.conf: bad argument '$bad'" --dsv-fork=HEAD job
		sbatch job
		assert "$stderr" ""
		has_no_trace
	done
}

@test "what dsv remarks is passed on, and the job submitted" {
	sbatch --dsv-fork=remark job
	assert "$stderr" "sbatch: dsv: warning: odd"
	has_ticket
}

@test "a job submitted from a forked job does not fork again" {
	export SLURM_JOB_ID=7 DSV_TICKET=0123456789abcdef0123456789abcdef
	export SLURM_SPANK__SLURM_SPANK_OPTION_dsv_dsv_fork=HEAD
	export _SLURM_SPANK_OPTION_dsv_dsv_set=a=1
	export SLURM_SPANK_DSV_TICKET=$DSV_TICKET SLURM_SPANK_DSV_REPO=/r
	export SLURM_SPANK_DSV_STATE=1 SLURM_SPANK_DSV_V=1
	sbatch job
	has_no_trace
}

@test "a job submitted from a forked job can fork when asked" {
	export SLURM_JOB_ID=7 DSV_TICKET=0123456789abcdef0123456789abcdef
	export SLURM_SPANK__SLURM_SPANK_OPTION_dsv_dsv_set=a=1
	sbatch --dsv-fork=HEAD job
	prepared_with '[--fork=HEAD] [--porcelain]'
	has_ticket
	assert "$(submitted DSV_TICKET)" ""
}

@test "--test-only leaves no ticket; an argument of the script does not count" {
	sbatch --test-only --dsv-fork=HEAD job
	prepared_with '[--fork=HEAD] [--porcelain] [--dry-run]'
	rm "$calls"
	sbatch --dsv-fork=HEAD job --test-only
	prepared_with '[--fork=HEAD] [--porcelain]'
}

@test "--test-only in a #SBATCH line leaves no ticket either" {
	printf '#!/bin/sh\n#SBATCH -n1 --test-only # why\ntrue\n' >job
	sbatch --dsv-fork=HEAD job
	prepared_with '[--fork=HEAD] [--porcelain] [--dry-run]'
	for line in '#SBATCH -n1 # --test-only' '#SBATCH --comment="a --test-only b"' \
	    $'true\n#SBATCH --test-only' '# --test-only'; do
		rm "$calls"
		printf '#!/bin/sh\n%s\n' "$line" >job
		sbatch --dsv-fork=HEAD job
		prepared_with '[--fork=HEAD] [--porcelain]'
	done
}

@test "a quoted value in a #SBATCH line hides no --test-only" {
	printf '#!/bin/sh\n%s\n' \
		'#SBATCH --comment="it'"'"'s # \" x" --test-only' >job
	sbatch --dsv-fork=HEAD job
	prepared_with '[--fork=HEAD] [--porcelain] [--dry-run]'
	rm "$calls"
	printf '#!/bin/sh\n#SBATCH --comment "--test-only"\n' >job
	sbatch --dsv-fork=HEAD job
	prepared_with '[--fork=HEAD] [--porcelain]'
}

@test "srun --test-only counts after options' values, not after the program" {
	run timeout 10 srun --dsv-fork HEAD --nodes 1 --test-only true
	prepared_with '[--fork=HEAD] [--porcelain] [--dry-run]'
	rm "$calls"
	run timeout -s KILL 2 srun --dsv-fork=HEAD --nodes 1 true --test-only
	prepared_with '[--fork=HEAD] [--porcelain]'
}

# Without a database of clusters, which is missing here, sbatch submits nothing.
sent_to() {
	local want=$1
	shift

	rm -f "$calls"
	sbatch -1 --dsv-fork=HEAD "$@" job
	[[ $stderr == *"database"* ]]
	prepared_with "[--fork=HEAD] [--clusters] [$want] [--porcelain]"
}

@test "dsv is told the cluster that a job is sent to" {
	touch one
	sent_to one -M one
	sent_to one -Mone
	sent_to one,two --clusters=one,two
	sent_to one --cluster one
	SLURM_CLUSTERS=two sent_to one -M one
	SLURM_CLUSTERS=two SBATCH_CLUSTERS=one sent_to two
	SBATCH_CLUSTERS=one sent_to one
	printf '#!/bin/sh\n#SBATCH -J "a b" -M three # -M no\ntrue -M x\n' >job
	sent_to three
	sent_to one --clusters one
	SLURM_CLUSTERS=two sent_to two
}

@test "an existing ticket is passed on" {
	ticket=0123456789abcdef0123456789abcdef
	sbatch --dsv-ticket=$ticket --dsv-repo=/r job
	assert "$(submitted SLURM_SPANK_DSV_TICKET)" $ticket
	assert "$(submitted SLURM_SPANK_DSV_REPO)" /r
	[ ! -e "$calls" ]
	refused "--dsv-ticket needs a ticket, not 'x'" --dsv-ticket=x --dsv-repo=/r job
	for args in "" "--dsv-repo=r" "--dsv-repo=/r --dsv-fork=HEAD"; do
		# shellcheck disable=SC2086
		refused "--dsv-ticket needs the absolute --dsv-repo of its repository, and nothing else" \
			--dsv-ticket=$ticket $args job
	done
}

@test "a caller that ignores SIGCHLD is not an obstacle" {
	run -0 env LD_PRELOAD="$dir/shim.so" python3 -c '
import os, signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execvp("sbatch", ["sbatch", "--dsv-fork=HEAD", "job"])'
	has_ticket
}
