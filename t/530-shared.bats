#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# One repository of a group: two members, and one who is not

load helper

group=70001 alice=70011 bob=70012 mallory=70013

setup_file() {
	[ "$EUID" = 0 ] || without root "it runs dsv as three users"
}

# as USER [-N] ARG...: run dsv as one of them, all with umask 077.
as() {
	local user=$1 groups=--groups=$group

	[ "$user" = "$mallory" ] && groups=--clear-groups
	as=(env -u XDG_CONFIG_HOME "HOME=$BATS_TEST_TMPDIR/$user"
		setpriv "--reuid=$user" "--regid=$user" "$groups"
		bash -c 'umask 077; exec "$@"' -)
	shift
	dsv "$@"
}

# Everybody has their own directory, with m and s in it.
setup() {
	local user

	clean_environment
	program=$BATS_TEST_TMPDIR/bin/dsv
	mkdir -p "$BATS_TEST_TMPDIR"/{bin,shared}
	cp "$build/dsv" "$program"
	chmod a+x "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR"
	for user in $alice $bob $mallory; do
		mkdir -m 700 "$BATS_TEST_TMPDIR/$user"
		cd "$BATS_TEST_TMPDIR/$user" || return
		put m 2000000
		put s 100
		chown -R "$user:$user" .
	done
	cd "$BATS_TEST_TMPDIR/shared" || return
	chown "$alice:$group" .
	chmod 2775 .
	as $alice init --shared=group
	home=$BATS_TEST_TMPDIR
}

# Print what .dsv holds: owner, mode, path.
listing() { find .dsv -printf '%U %m %p\n' | sort -k3; }

# Print what the group cannot read and write, or others can; a stat cache
# belongs to its user.
wrong_modes() {
	find .dsv -not -name 'statcache-*' \( -not -group $group \
		-o -not -perm -0060 -o -perm /0007 -o -type d -not -perm -2070 \) -printf '%M %g %p\n'
}

@test "each member tags, forks, searches and checks out what all have" {
	as $alice tag "$home/$alice/m" "$home/$alice/s" -a acc=0.5
	as $bob tag "$home/$bob/m" -b bob -a acc=0.7
	as $bob fork max:acc@main -b bobs-fork
	as $alice find 'acc > 0.6' --format '%(branch) %(author)'
	assert "$output" "bob $bob"
	as $bob checkout main "$home/$bob/out"
	cmp "$home/$alice/m" "$home/$bob/out/m"
	as $alice attr bob note=good
	as $bob params bob
	as $bob fsck --data
	[[ $output == "3 states, "*": clean" ]]
}

@test "modes and setgid hold under umask 077, and nobody chmods another's" {
	as $alice tag "$home/$alice/m" --name a
	listing | grep "^$alice " >before
	as $bob tag "$home/$bob/m" -b bob --pin
	as $bob attr a note=1
	as $bob scope open sweep
	as $bob config core.fsync full
	as $bob prune --keep-last 1 --branch bob -n
	as $bob repack
	as $bob fsck --data --repair
	assert "$(wrong_modes)" ""
	listing | grep -F -x -f before | diff before -
}

@test "fsck finds what the group cannot use, and repairs the caller's files" {
	as $alice tag "$home/$alice/s"
	as $alice fsck
	chmod g-w .dsv/journal
	chmod g-s .dsv/states
	as $bob -13 fsck --repair
	[[ $output == *"mode journal: its group may not use it (mode 0640)"$'\n'* ]]
	[[ $output == *"mode states: its group may not use it (mode 0770)"$'\n'* ]]
	as $alice fsck --repair
	assert "$(wrong_modes)" ""
	as $alice fsck
}

@test "HEAD is each user's own" {
	as $alice tag "$home/$alice/s"
	as $bob switch -c bobs
	as $bob branch --json
	json '[b["name"] for b in j if b["current"]]'
	assert "$result" "['bobs']"
	as $alice rev-parse HEAD
	as $alice branch
	assert "$output" "  bobs"$'\n'"* main"
}

@test "rules prune the caller's own states, and all only when asked to" {
	local n

	for n in 1 2 3; do
		as $alice tag "$home/$alice/s" -a n=$n
		as $bob tag "$home/$bob/s" -a n=$n -b bob
	done
	as $bob prune --keep-last 1
	as $alice find --format '%(author)'
	assert "$(sort <<<"$output" | uniq -c | tr -s ' ')" \
		" 3 $alice"$'\n'" 1 $bob"
	as $bob prune --keep-last 1 --author '*'
	as $alice find --count
	assert "$output" 2
}

@test "one member frees, restores and repacks what another has stored" {
	as $alice tag "$home/$alice/m" --name kept
	as $alice tag "$home/$alice/s"
	id=$output
	as $bob prune HEAD
	as $bob restore "$id"
	as $bob tag "$home/$bob/m" -b bob
	as $alice prune bob --expire=now --unsafe-allow-remove-all
	as $alice -4 checkout bob "$home/$alice/out"
	as $bob repack
	as $bob fsck --data
	[[ $output == *": clean" ]]
	assert "$(wrong_modes)" ""
}

@test "a user outside the group reads and writes nothing" {
	as $alice tag "$home/$alice/s"
	listing >before
	for command in log status 'find acc' 'checkout HEAD x' fsck 'cat HEAD:s' \
	    "tag $home/$mallory/s" 'fork HEAD' 'attr HEAD k=1' 'prune HEAD' \
	    'config core.fsync off' 'job list' 'wait'; do
		# shellcheck disable=SC2086
		as $mallory -14 $command
		[[ $stderr == "dsv "*"belongs to another user (to trust it: "* ]]
		assert "$output" ""
	done
	as $mallory config --user safe.repository "$home/shared/.dsv"
	as $mallory -5 log
	assert "$stderr" "dsv log: open '$home/shared/.dsv/format': Permission denied"
	as $mallory -5 tag "$home/$mallory/s"
	listing | diff before -
}

# Lock this host's queue, so that no worker of either stores anything.
hold_queue() {
	as $alice queue --run
	cat >hold.py <<-'END'
		import fcntl, struct, sys, time
		f = open(sys.argv[1], "r+")
		fcntl.fcntl(f, 37, struct.pack("hhqqi4x", 1, 0, 0, 0, 0))
		print("held", flush=True)
		time.sleep(600)
	END
	coproc holder { exec python3 hold.py ".dsv/queue/$(uname -n)/lock" 3>&-; }
	# shellcheck disable=SC2154	# coproc sets it
	read -r <&"${holder[0]}"
}

teardown() { [ -z "${holder_PID-}" ] || kill "$holder_PID"; }

@test "one member's worker stores what another has captured" {
	hold_queue
	as $alice tag --async "$home/$alice/m" "$home/$alice/s" -b alice
	as $bob tag --async --move "$home/$bob/m" -b bob
	as $bob -1 wait --timeout 0s alice
	assert "$(wrong_modes)" ""
	as $alice job sync
	as $alice queue --json
	json 'sorted(i["here"] for i in j)'
	assert "$result" "[True, True]"
	kill "$holder_PID"
	as $bob wait alice bob
	as $alice find pending=true --count
	assert "$output" 0
	run -0 cmp <("${as[@]}" "$program" cat bob:m) "$home/$alice/m"
	as $alice fsck --data
	[[ $output == *": clean" ]]
	assert "$(find .dsv/queue -name files)" ""
}

@test "a job of one member forks what another has tagged, visible to all" {
	as $alice tag "$home/$alice/s" --name start
	as $bob job list
	ticket=$("${as[@]}" "$program" job prepare --fork start --set +lr=1 \
		--porcelain | tr '\0' '\n' | sed -n 's/^TICKET=//p')
	as $alice -14 prune start --unsafe-allow-remove-all
	export SLURM_JOB_ID=77
	as $bob job start --ticket "$ticket"
	as $bob job finish --ticket "$ticket" --status 256
	unset SLURM_JOB_ID
	as $alice job sync
	as $alice job list --json
	json '[(i["id"], i["exit"]) for i in j]'
	assert "$result" "[('77', 1)]"
	# What was placed for a job belongs to its user.
	assert "$(wrong_modes | grep -v ' .dsv/jobs/')" ""
	as $alice prune --branch "main-77" --author '*' \
		--unsafe-allow-remove-all --expire=now
	[[ $output == "removed "* ]]
}

@test "on a read-only mount commands that would write say so once: exit 5" {
	local command

	as=()
	rm -r .dsv
	"$program" -q init
	"$program" -q tag "$home/$alice/s" --name n
	mount --bind . . || without root "cannot mount"
	mount -o remount,bind,ro "$PWD"
	cd "$PWD"
	for command in "tag $home/$alice/m" "tag --async $home/$alice/m" \
	    'fork HEAD' 'branch b' 'switch -c b' 'name m HEAD' 'name -d n' \
	    'scope open s' 'attr HEAD k=1' 'pin HEAD' 'prune HEAD' \
	    'prune --keep-last 1' 'restore HEAD' repack 'queue --run' \
	    'fsck --repair' 'fsck --rebuild' 'config core.fsync off' \
	    'job prepare --fork HEAD'; do
		# shellcheck disable=SC2086
		dsv -5 $command || { cd /; umount -l "$OLDPWD"; return 1; }
		echo "$command: $stderr"
		[[ $stderr == "dsv "*": Read-only file system" ]]
		assert "${#stderr_lines[@]} $output" "1 "
	done
	dsv fsck --data
	cd /
	umount -l "$OLDPWD"
}

@test "a stranger's repository runs nothing, even when it is trusted" {
	local key command

	rm -r .dsv
	as $mallory -C "$home/$mallory" init
	for key in hook.{pre,post}-{tag,prune}.command hook.post-fork.command \
	    core.{pager,editor,sshCommand,fsmonitor,hooksPath} pager.log alias.log \
	    diff.external; do
		as $mallory -C "$home/$mallory" config "$key" "touch $home/ran"
	done
	as $mallory -C "$home/$mallory" config safe.repository '*'
	as $mallory -C "$home/$mallory" tag "$home/$mallory/s"
	printf '#!/bin/sh\nexec cat\n' >"$home/bin/less"
	chmod +x "$home/bin/less"
	rm -f "$home/ran"	# a user's own configuration is another matter
	cd "$home/$mallory"
	as=()
	dsv -14 log
	dsv config --user safe.repository "$PWD"
	for command in "tag m" "fork HEAD" "prune HEAD~1" log status \
	    'find size>0' 'diff HEAD HEAD~1' "checkout HEAD out"; do
		timeout 20 script -qec "env -u DSV_PAGER PATH=$home/bin:$PATH $program $command" \
		    /dev/null </dev/null >/dev/null || true
	done
	dsv find --pruned --count
	assert "$output" 3
	[ ! -e "$home/ran" ]
}
