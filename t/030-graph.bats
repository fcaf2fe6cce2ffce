#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# log --graph: branches as columns

load helper

# Hide the ids, which do not matter.
graph() {
	dsv log --graph --all "$@"
	output=$(sed -E 's/[0-9a-f]{12}/ID/g' <<<"$output")
	mapfile -t lines <<<"$output"
}

step() {
	echo "$*" >f
	tag f -m "$1" "${@:2}"
}

@test "a single line is drawn in one column" {
	repo
	step one
	step two
	graph
	assert "$output" "* ID (HEAD -> main) two
* ID one"
}

@test "a fork stands beside the line it left, with what it changed" {
	repo
	step one -p lr=0.1
	dsv fork HEAD -b low --set lr=0.01
	step two
	graph
	assert "$output" "* ID (HEAD -> main) two
| * ID (low) fork of ID
| | lr 0.1 -> 0.01
|/
* ID one
  lr=0.1"
}

@test "attributes are shown, --columns chooses" {
	repo
	step one -p lr=0.1 -a acc=0.5 -a loss=2
	graph
	assert "${lines[0]}" "* ID (HEAD -> main) one acc=0.5 loss=2"
	graph --columns lr,acc,nope
	assert "${lines[0]}" "* ID (HEAD -> main) one lr=0.1 acc=0.5 nope=-"
}

@test "two parents are drawn as a merge" {
	repo
	step one
	dsv fork HEAD -b side
	step two -b side
	step three
	step four --parent HEAD --parent side
	graph
	assert "$(head -3 <<<"$output")" "* ID (HEAD -> main) four
|\\
* | ID three"
}

@test "a limit leaves no edges to what is not shown" {
	repo
	step one
	dsv fork HEAD -b side
	step two
	graph -n 2
	assert "$output" "* ID (HEAD -> main) two

* ID (side) fork of ID"
}

@test "--dot is a graph for dot" {
	repo
	step 'say "hi"' -p lr=0.1
	dsv fork HEAD -b low --set lr=0.01
	dsv log --all --dot
	[[ $output == "digraph dsv {"* ]]
	[[ $output == *'say \"hi\"'* ]]
	[[ $output == *'[label="lr 0.1 -> 0.01"]'* ]]
}

# Show escape sequences as ^R (red) ^G ^Y ^C and ^. (the end of one).
inks() {
	sed 's/\x1b\[m/^./g; s/\x1b\[\(1;\)\?31m/^R/g; s/\x1b\[\(1;\)\?32m/^G/g
		s/\x1b\[\(1;\)\?33m/^Y/g; s/\x1b\[\(1;\)\?36m/^C/g
		s/[0-9a-f]\{12\}/ID/g'
}

@test "colours distinguish ids, names, lines of development and changes" {
	repo
	step one -p lr=0.1 --name best
	dsv fork HEAD -b side --set lr=1
	step two
	dsv log --all --graph --color=always
	assert "$(inks <<<"$output")" \
		"* ^YID^. (^CHEAD -> ^.^Gmain^.) two
^R|^. * ^YID^. (^Gside^.) fork of ID
^R|^. ^G|^. ^Clr 0.1 -> 1^.
^R|^.^G/^.
* ^YID^. (^Yname: ^.^Ybest^.) one
  ^Clr=0.1^."
}

@test "colours are on in a terminal, unless NO_COLOR or color.ui says no" {
	repo
	step one
	colored() { script -qec "$program --no-pager $1" /dev/null | grep -c $'\e\['; }
	export TERM=xterm
	assert "$(colored log)" 1
	assert "$(NO_COLOR=1 colored log)" 0
	assert "$(NO_COLOR=1 colored 'log --color=always')" 1
	dsv config color.ui never
	assert "$(colored log)" 0
	dsv -2 log --color=perhaps
	assert "$stderr" "dsv log: --color: 'perhaps' is not auto, always or never"
}

# Make a line of N states, of which only the first is real.
line_of() {
	step one
	python3 - "$1" <<-'EOF'
	import os, sqlite3, sys
	db = sqlite3.connect(".dsv/catalog.db")
	n = int(sys.argv[1])
	row = list(db.execute("SELECT * FROM state").fetchone())
	for seq in range(row[0] + 1, row[0] + n):
	    row[0:2] = seq, os.urandom(32)
	    db.execute(f"INSERT INTO state VALUES ({','.join('?' * len(row))})",
	               row)
	    db.execute("INSERT INTO edge VALUES (?, 0, ?)", (seq, seq - 1))
	db.execute("UPDATE branch SET head = ?", (seq,))
	db.commit()
	EOF
}

# Print how often the catalog is read for what $1 takes from the log.
reads() {
	strace -f -o trace -e trace=pread64 "$program" log --all --graph |
		$1 >/dev/null
	grep -c pread64 trace
}

@test "a long log is whole" {
	repo
	line_of 10500
	dsv log --format '%(id)'
	assert "$(sort -u <<<"$output" | wc -l)" 10500
	assert "${lines[10499]}" "$id"
	dsv log -n 10300 --format '%(id)'
	assert "${#lines[@]}" 10300
	graph
	assert "$(uniq -c <<<"$output" | tr -s ' ')" \
		" 1 * ID (HEAD -> main) one
 10499 * ID one"
}

@test "a graph starts before the last states are read" {
	local all first

	repo
	line_of 5000
	all=$(reads cat)
	first=$(reads "head -n 1")
	[ $((first * 2)) -lt "$all" ] || { echo "$first $all"; false; }
}
