#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# dsv init

load helper

@test "init makes .dsv here, or in a directory that it makes" {
	dsv init
	assert "$output" ""
	assert "$stderr" "made a repository in '.'"
	[ -d .dsv/states ] && [ -f .dsv/format ] && [ -f .dsv/catalog.db ]
	dsv init a/b
	[ -f a/b/.dsv/format ]
}

@test "init of an existing repository changes nothing" {
	local before

	repo
	before=$(find .dsv -type f -exec sha256sum {} + | sort)
	dsv init
	assert "$stderr" "there is already a repository in '.'"
	dsv init --shared=group
	assert "$(find .dsv -type f -exec sha256sum {} + | sort)" "$before"
	assert "$(stat -c %a .dsv)" 755
}

@test "init inside a repository makes another" {
	repo
	dsv init inner
	cd inner
	dsv branch
	dsv status --json
	json 'j["repo"]'
	assert "$result" "$PWD/.dsv"
}

@test "two inits at once make one repository" {
	local i pids=()

	for i in 1 2 3 4 5 6; do
		"$program" -q init r 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	dsv -C r status
	assert "$(ls -A r)" .dsv
}

@test "--shared=group gives modes and setgid to all below .dsv" {
	umask 077
	dsv init --shared=group r
	assert "$(find r/.dsv -type d ! -perm 2770)" ""
	cd r
	put f 3000000
	tag f
	dsv fork HEAD
	assert "$(find .dsv -type d ! -perm 2770)" ""
	assert "$(find .dsv -type f ! -perm -0060 ! -path "*/segments/*" ! -name "statcache-*")" ""
	assert "$(find .dsv -type f ! -perm -0040 ! -name "statcache-*")" ""
}

@test "a wrong --shared exits 2 and makes nothing" {
	dsv -2 init --shared=all r
	assert "$stderr" "dsv init: --shared: 'all' is not group"
	[ ! -e r ]
}

@test "init where a file is in the way exits 5" {
	put f
	dsv -5 init f
	assert "$stderr" "dsv init: 'f': Not a directory"
	put r/.dsv
	dsv -5 init r
	assert "$stderr" "dsv init: 'r/.dsv': Not a directory"
}

@test "init where nothing may be written exits 5 and leaves nothing" {
	mkdir r
	chmod 555 r
	ordinary_user
	dsv -5 init r
	[[ $stderr == *"Permission denied" ]]
	assert "$(ls -A r)" ""
}

@test "--json says where, and whether it already existed" {
	dsv init r --json
	json 'j["dir"], j["existed"]'
	assert "$result" "('r', False)"
	dsv init r --json
	json 'j["existed"]'
	assert "$result" True
}

@test "the library, opened in a subdirectory, finds the repository above" {
	repo
	mkdir -p a/b
	cd a/b
	put f
	tag f
	dsv cat HEAD:f
	assert "$output" "$(cat f)"
}

@test "a .dsv without a format file is not a repository, exit 10" {
	mkdir .dsv
	dsv -10 log
	assert "$stderr" \
	    "dsv log: '$PWD/.dsv' is not a repository: it has no file 'format'"
}
