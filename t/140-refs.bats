#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# branch, switch, name, scope, attr, pin, params, config

load helper

# Make two states on main, $first and $id.
states() {
	repo
	put f
	tag f "$@"
	first=$id
	tag f
}

@test "branch creates, lists, moves, renames, deletes" {
	states
	dsv branch old HEAD~1
	dsv branch new
	dsv branch
	assert "$output" $'* main\n  new\n  old'
	dsv rev-parse old new
	assert "$output" "$first"$'\n'"$id"
	dsv branch -f old HEAD
	dsv rev-parse old
	assert "$output" "$id"
	dsv branch -m old older
	dsv branch -d new
	dsv branch
	assert "$output" $'* main\n  older'
	dsv branch -v
	assert "${lines[0]}" "* main ${id:0:12}"
}

@test "branch refuses what exists, exits 4 for what does not" {
	states --name best
	dsv branch a
	dsv -14 branch a
	assert "$stderr" "dsv branch: branch 'a' already exists ('dsv branch\
 -f' moves it)"
	dsv -14 branch best
	assert "$stderr" "dsv branch: 'best' is the name of a state"
	dsv -14 branch -f best
	dsv -14 branch -m a main
	dsv -14 branch -m a best
	dsv -4 branch -m nope b
	dsv -4 branch -d nope
	assert "$stderr" "dsv branch: there is no branch 'nope'"
	dsv -4 branch b nope
	dsv -2 branch -m a
	dsv -2 branch -f -d a
}

@test "names of branches, states and scopes are checked" {
	local name

	states
	for name in 'a b' a..b .a -a HEAD '' "$first" 'a:b' 'a~1' 'a^' 'é'; do
		dsv -2 branch -- "$name"
		dsv -2 name -- "$name"
		dsv -2 scope open -- "$name"
		dsv -2 switch -c -- "$name"
		dsv -2 tag f -b "$name"
	done
	dsv branch 'a/b.c_d-e'
	dsv branch 0
	dsv branch _x
}

@test "a rename takes states and HEAD with it" {
	states
	dsv branch -m main trunk
	dsv branch
	assert "$output" "* trunk"
	dsv find --branch trunk --count
	assert "$output" 2
	tag f
	dsv rev-parse trunk~2
	assert "$output" "$first"
}

@test "the current branch cannot be deleted; states of a deleted one stay" {
	states
	dsv -14 branch -d main
	dsv switch -c other
	dsv branch -d main
	dsv rev-parse "$id"
	dsv -4 rev-parse main
	dsv tag f -b main
	dsv prev main
	assert "$output" ""
}

@test "switch sets HEAD, -c creates the branch; an unknown one exits 4" {
	states
	dsv switch -c side
	dsv branch
	assert "$output" $'  main\n* side'
	dsv -4 rev-parse HEAD
	tag f
	dsv prev side
	assert "$output" ""
	dsv switch main
	dsv -4 switch nope
	assert "$stderr" "dsv switch: there is no branch 'nope'"
	dsv -14 switch -c side
	dsv branch
	assert "$output" $'* main\n  side'
}

@test "HEAD is each user's own" {
	[ "$EUID" = 0 ] || without root "needs root"
	umask 0
	states
	dsv switch -c mine
	chmod -R a+rwX .
	"$program" config --user safe.repository '*'
	ordinary_user
	chown -R 0 .dsv
	dsv branch
	assert "$output" $'* main\n  mine'
	dsv switch mine
	dsv switch main
	as=()
	dsv branch
	assert "$output" $'  main\n* mine'
}

@test "name gives, lists, moves, deletes" {
	states
	dsv name best HEAD~1
	dsv name last
	dsv name
	assert "$output" "best $first"$'\n'"last $id"
	dsv -14 name best
	assert "$stderr" "dsv name: 'best' already names another state ('dsv name\
 -f' moves it)"
	dsv name -f best
	dsv rev-parse best
	assert "$output" "$id"
	dsv name -d best
	dsv -4 name -d best
	dsv -4 rev-parse best
	dsv -14 name main
	dsv -14 name -f main
	dsv -4 name x nope
}

@test "names win over the prefix of an id" {
	states
	dsv name "${id:0:8}" "$first"
	dsv rev-parse "${id:0:8}"
	assert "$output" "$first"
	dsv rev-parse "${id:0:9}"
	assert "$output" "$id"
}

@test "scope opens, adds, lists, removes, closes, opens again" {
	states
	dsv scope open warmup
	dsv scope add warmup HEAD HEAD~1
	dsv scope list
	assert "$output" "warmup open 2"
	dsv find --scope warmup --count
	assert "$output" 2
	dsv scope rm warmup HEAD~1
	dsv scope close warmup
	dsv scope list
	assert "$output" "warmup closed 1"
	dsv scope open warmup
	dsv scope list
	assert "$output" "warmup open 1"
	dsv -4 scope close nope
	assert "$stderr" "dsv scope close: there is no scope 'nope'"
	dsv -4 scope rm nope HEAD
	dsv -4 scope add warmup nope
	dsv -2 scope add warmup
}

@test "attr adds after the fact, the id stays" {
	states -a acc=0.5
	dsv attr HEAD~1 acc=0.75 note='it works' list:='[1]'
	dsv attr HEAD~1
	assert "$output" $'acc=0.75\nlist=[1]\nnote=it works'
	dsv rev-parse HEAD~1
	assert "$output" "$first"
	dsv attr HEAD~1 --unset note --unset list
	dsv attr HEAD~1 --json
	json 'j'
	assert "$result" "{'acc': 0.75}"
	dsv -4 attr HEAD --unset acc
	assert "$stderr" "dsv attr: the state has no attribute 'acc'"
	dsv -2 attr HEAD acc
	dsv -2 attr HEAD 'a b=1'
	dsv -4 attr nope a=1
}

@test "attr that fails in part changes nothing" {
	states -a acc=0.5
	dsv -4 attr "$first" acc=1 --unset nope
	dsv attr "$first"
	assert "$output" acc=0.5
	dsv -2 attr "$first" acc=1 'b b=2'
	dsv attr "$first"
	assert "$output" acc=0.5
}

@test "attr --history prints every change, the oldest first" {
	states -a acc=0.5
	dsv attr "$first" acc=0.75
	dsv attr "$first" --unset acc
	dsv attr "$first" --history
	assert "$(sed 's/^[^ ]* [^ ]* //' <<<"$output")" \
	    $'acc=0.5\nacc=0.75\n-acc'
	dsv attr "$first" --history --json
	json '[(c["key"], c["unset"], c.get("value")) for c in j]'
	assert "$result" \
"[('acc', False, 0.5), ('acc', False, 0.75), ('acc', True, None)]"
	dsv -2 attr "$first" --history x=1
}

@test "pin and unpin" {
	states
	dsv pin HEAD HEAD~1
	dsv find --count 'pinned = true'
	assert "$output" 2
	dsv unpin HEAD~1
	dsv find --count 'pinned = true'
	assert "$output" 1
	dsv -4 pin HEAD nope
	dsv -4 pin HEAD~1 nope
	dsv find --count 'pinned = true'
	assert "$output" 1
	dsv -2 pin
}

@test "params of a state, of DSV_STATE, of HEAD; KEY exits 4 if unset" {
	states -p lr=1e-3
	tag f -p lr=2
	dsv params "$first"
	assert "$output" lr=1e-3
	dsv params "$first" lr
	assert "$output" 1e-3
	dsv params
	assert "$output" lr=2
	DSV_STATE=$first dsv params
	assert "$output" lr=1e-3
	SLURM_JOB_ID=8 DSV_JOB_ID=7 DSV_STATE=$first dsv -4 params
	dsv -4 params "$first" nope
	assert "$stderr" \
	    "dsv params: state ${first:0:12} has no parameter 'nope'"
	dsv -4 params nope
	dsv -2 params HEAD --format yaml
	dsv -2 params HEAD lr --format json
}

# Make a state with values that need quoting.
nasty() {
	repo
	put f
	tag f -p "sq=it's" -p 'dq="x"' -p 'dollar=$HOME `id` $(id)' -p 'bs=a\b\' \
	    -p 'bsq=\\'\''' -p 'glob=* ?' -p 'sp= a  b ' -p empty= \
	    -p 'str:="1"' -p 'list:=["a b", 1.50, null]' -p 'utf=é' \
	    -p 'semi=a;b&c|d<e>f' -p 'lr=1e-3' -p 'on=True' -p 'dash=--x' \
	    -p 'eq=a=b' -p 'hash=#x' "$@"
}

values='{
	"sq": "it'\''s", "dq": "\"x\"", "dollar": "$HOME `id` $(id)",
	"bs": "a\\b\\", "bsq": "\\\\'\''", "glob": "* ?", "sp": " a  b ",
	"empty": "", "str": "1", "list": ["a b", 1.5, None], "utf": "é",
	"semi": "a;b&c|d<e>f", "lr": 0.001, "on": True, "dash": "--x",
	"eq": "a=b", "hash": "#x", "nl": "a\nb\t" }'

@test "params --format json and nested survive nasty values" {
	nasty -p 'nl='$'a\nb\t'
	dsv params --format json
	json "j == $values"
	assert "$result" True
	[[ $output == *'"lr":1e-3'* || $output == *'"lr": 1e-3'* ]]
	dsv params --format nested
	json "j == $values"
	assert "$result" True
}

@test "params --format nested nests, and loses nothing" {
	repo
	put f
	tag f -p a.a=1 -p a.b=2 -p a.b.c=3 -p a.d=4 -p a-b=5 -p x.y.z=6
	dsv params --format nested
	json 'j'
	assert "$result" "{'a.b': 2, 'a': {'a': 1, 'b': {'c': 3}, 'd': 4},\
 'a-b': 5, 'x': {'y': {'z': 6}}}"
}

@test "params --format env can be evaluated, and runs nothing" {
	nasty -p 'nl='$'a\nb\t'
	dsv params --format env
	eval "$output"
	assert "$DSV_PARAM_SQ|$DSV_PARAM_DQ|$DSV_PARAM_BS" "it's|\"x\"|a\\b\\"
	assert "$DSV_PARAM_DOLLAR" '$HOME `id` $(id)'
	assert "$DSV_PARAM_NL" $'a\nb\t'
	assert "$DSV_PARAM_SP|$DSV_PARAM_EMPTY" " a  b |"
	assert "$DSV_PARAM_SEMI" 'a;b&c|d<e>f'
	run -0 env -i sh -c 'eval "$1"; printf %s "$DSV_PARAM_BSQ"' - "$output"
	assert "$output" "\\\\'"
}

@test "params --format argparse is words for mapfile" {
	nasty
	"$program" params --format argparse >words
	mapfile -t words <words
	assert "${#words[@]}" 17
	run -0 python3 - "${words[@]}" <<'EOF'
import argparse, sys
p = argparse.ArgumentParser()
for word in sys.argv[1:]:
    p.add_argument(word.split("=")[0])
a = p.parse_args()
print(a.dollar, a.sp, a.dash, a.bsq, a.empty == "", sep="|")
EOF
	assert "$output" '$HOME `id` $(id)| a  b |--x|\\'"'|True"
}

@test "a line break cannot make another word: exit 2; lines show it" {
	repo
	put f
	tag f -p 'a=x'$'\n''--lr=99'
	dsv -2 params --format argparse
	assert "$stderr" "dsv params: the value of 'a' has a line break, which\
 the format argparse cannot carry"
	assert "$output" ""
	dsv -2 params --format hydra
	dsv params
	assert "$output" 'a=x\x0A--lr=99'
	dsv params HEAD a
	assert "$output" 'x'$'\n''--lr=99'
}

@test "params --format hydra quotes what is not plain" {
	nasty -p 'n:="null"' -p path=/data/x_1.pt -p us=1_000 -p nan=nan
	dsv params --format hydra
	assert "$(grep -E '^(sq|bs|bsq|str|n|path|us|nan|lr|on|empty|list|sp)=' \
	    <<<"$output")" 'bs='\''a\b\\'\''
bsq='\''\\\\\'\'''\''
empty='\'\''
list=["a b",1.50,null]
lr=1e-3
n='\''null'\''
nan=nan
on=true
path=/data/x_1.pt
sp='\'' a  b '\''
sq='\''it\'\''s'\''
str='\''1'\''
us='\''1_000'\'
}

@test "config sets, gets, lists, unsets, git-style" {
	repo
	dsv config prune.grace 2d
	dsv config prune.grace
	assert "$output" 2d
	dsv config 'prune.nightly.keepLast' 3
	dsv config --list
	assert "$output" $'prune.grace=2d\nprune.nightly.keeplast=3'
	dsv config PRUNE.Grace
	assert "$output" 2d
	dsv -4 config prune.nope
	assert "$stderr" "dsv config: 'prune.nope' is not set"
	dsv config --unset prune.grace
	dsv -4 config --unset prune.grace
	dsv -2 config nodot x
	assert "$stderr" \
	    "dsv config: 'nodot' is not a key of the form section.name"
	dsv -2 config
}

@test "the repository's file wins over the user's, that over the system's" {
	repo
	export DSV_CONFIG_SYSTEM=$BATS_TEST_TMPDIR/system
	dsv config --system a.b 1
	dsv config a.b
	assert "$output" 1
	dsv config --user a.b 2
	dsv config a.b
	assert "$output" 2
	dsv config --repo a.b 3
	dsv config --show-origin a.b
	assert "$output" "$PWD/.dsv/config"$'\t'3
	dsv config --user a.b
	assert "$output" 2
	dsv config --list --show-origin
	assert "${lines[0]}" "$DSV_CONFIG_SYSTEM"$'\t'a.b=1
	dsv -2 config --user --repo a.b
}

@test "config refuses a value that the key cannot have, and repairs one" {
	repo
	local key

	for key in prune.grace prune.headGrace core.fsync core.guardLock \
	    color.ui queue.auto core.localTier safe.repository; do
		dsv -2 config "$key" banana
		[[ $stderr == "dsv config: $key: 'banana' is "* ]]
	done
	[ ! -s .dsv/config ]
	dsv config prune.grace 2d
	dsv config queue.auto off
	dsv config CORE.localTier /tmp/%u
	for key in core.fsync core.guardLock queue.auto; do
		dsv config "$key" true
		sed -i "s/\(${key#*.} = \).*/\1banana/" .dsv/config
		dsv -2 log
		[[ ${stderr,,} == "dsv log: ${key,,} in '${PWD,,}/.dsv/config': 'banana' is neither true nor false" ]]
		dsv config "$key"
		assert "$output" banana
		dsv config "$key" true
		dsv log
	done
	sed -i 's/grace = .*/grace = banana/' .dsv/config
	put f 10
	tag f
	tag f
	dsv -2 prune --expire=now HEAD~1
	[[ $stderr == "dsv prune: prune.grace in '$PWD/.dsv/config': 'banana' is not a duration "* ]]
	dsv log
	[ "$(grep -c ^state <<<"$output")" = 2 ]
}

@test "config keeps comments and other lines, and takes any value" {
	local value

	repo
	printf '# mine\n[prune]\n\tgrace = 1h ; why\n[Other]\nx\n' >.dsv/config
	dsv config prune.grace
	assert "$output" 1h
	dsv config other.x
	assert "$output" true
	dsv config prune.headGrace 3d
	assert "$(cat .dsv/config)" '# mine
[prune]
	grace = 1h ; why
	headGrace = "3d"
[Other]
x'
	for value in 'a "b" \c' '# x' ' sp ' '' $'t\tab' $'n\nl' é; do
		dsv config t.v "$value"
		run -0 "$program" config t.v
		assert "$output" "$value"
	done
}

@test "subsections distinguish upper and lower case" {
	repo
	dsv config prune.A.x 1
	dsv config prune.a.x 2
	dsv config --list
	assert "$output" $'prune.A.x=1\nprune.a.x=2'
	dsv config prune.A.x
	assert "$output" 1
}

@test "a malformed file exits 2 and names the line" {
	repo
	printf '[ok]\nx = 1\n[broken\n' >.dsv/config
	dsv -2 log
	assert "$stderr" "dsv log: '$PWD/.dsv/config', line 3: no [section] or\
 name = value"
	dsv -2 config --list
}

@test "config needs no repository for --user and --system" {
	dsv config --user a.b 1
	dsv config a.b
	assert "$output" 1
	dsv -10 config --repo a.b
	dsv -10 config a.b 2
}
