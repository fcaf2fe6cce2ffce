#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The rooms of lib/ are as lib/ROOMS describes them.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/.." || return
	objects=${DSV_BUILD:-build}
	mapfile -t rooms < <(awk '!/^#/ { print $1 }' lib/ROOMS)
}

# Print lines "FILE ROOM HEADER", the latter two for what FILE includes.
includes() {
	grep -H '^#include "' lib/*/*.[ch] | sed -E \
		-e '/"\.\.\/dsv\.h"/d' \
		-e 's|^([^:]*):#include "\.\./([^/"]+)/([^/"]+)".*|\1 \2 \3|' \
		-e 's|^(lib/([^/]+)/[^:]*):#include "([^/"]+)".*|\1 \2 \3|'
}

# Print lines "FILE ROOM SYMBOL", with the room that defines what FILE uses.
links() {
	printf '%s\n' lib/*/*.c | sed "s|^|$objects/|; s|c\$|o|" |
		xargs nm -A -g | awk -v objects="$objects/" '
		{ sub(objects, ""); sub(/\.o:/, ".c ") }
		$2 == "U" { takes[$1, $3] = 1; next }
		{ split($1, part, "/"); room[$4] = part[2] }
		END {
			for (pair in takes) {
				split(pair, p, SUBSEP)
				if (p[2] in room)
					print p[1], room[p[2]], p[2]
			}
		}'
}

# Print those of such lines that go up.
upwards() {
	awk 'NR == FNR { if (!/^#/) floor[$1] = FNR; next }
		{ split($1, part, "/") }
		floor[$2] > floor[part[2]]' lib/ROOMS -
}

# Print those of such lines that come in by something other than a door.
past_doors() {
	awk 'NR == FNR {
			for (i = 2; !/^#/ && i <= NF; i++) {
				split($i, door, /[(),]/)
				if ($i !~ /\(/)
					open[$1, door[1]] = 1
				for (k = 2; k in door; k++)
					open[$1, door[1], door[k]] = 1
				split("", door)
			}
			next
		}
		{ split($1, part, "/"); from = part[2] }
		from != $2 && !(($2, $3) in open) && !(($2, $3, from) in open) &&
			!(($2, "*") in open)' lib/ROOMS -
}

@test "lib/ROOMS names the folders of lib/, each once" {
	diff <(printf '%s\n' "${rooms[@]}" | sort) \
		<(find lib -mindepth 1 -type d -printf '%f\n' | sort)
}

@test "an include goes down, and through a door" {
	[ "$(includes | wc -l)" -gt 500 ]
	run ! grep . <(includes | upwards)
	run ! grep . <(includes | past_doors)
}

@test "what a file links to is in its room or below" {
	[ "$(links | wc -l)" -gt 1000 ]
	run ! grep . <(links | upwards)
}

@test "an include that goes up, or past a door, is found" {
	echo 'lib/base/str.c store store.h' | upwards | grep store.h
	echo 'lib/repo/repo.c store source.h' | past_doors | grep source.h
	echo 'lib/repo/repo.c catalog internal.h' | past_doors | grep internal.h
	run ! grep . <(echo 'lib/find/sql.c catalog internal.h' | past_doors)
}

@test "SQLite is called in lib/db alone" {
	run ! grep -nE 'sqlite3[_.]|SQLITE_' lib/dsv.h \
		$(find lib cli spank -name '*.[ch]' ! -path 'lib/db/*')
	grep -q '^#include <sqlite3.h>' lib/db/db.c
	run ! grep -n 'include <sqlite3.h>' lib/db/*.h
}

@test "every door is used, by every room that it is open to" {
	includes | awk '{ split($1, part, "/") }
		part[2] != $2 { used[$2 "/" $3] = used[$2 "/" $3 " " part[2]] = 1 }
		END { for (x in used) print x }' | sort >"$BATS_TEST_TMPDIR/used"
	awk '!/^#/ { for (i = 2; i <= NF; i++) {
			n = split($i, door, /[(),]/)
			if ($i !~ /[(*]/)
				print $1 "/" door[1]
			for (k = 2; k < n; k++)
				print $1 "/" door[1] " " door[k]
		} }' lib/ROOMS | sort >"$BATS_TEST_TMPDIR/doors"
	run ! grep . <(comm -13 "$BATS_TEST_TMPDIR/used" \
		"$BATS_TEST_TMPDIR/doors")
}

@test "only recipe.c knows which operations a recipe has" {
	operation='RECIPE_(RANGE|ZERO)|struct recipe_item \{|items\[.*\.op\>'
	[ "$(grep -rlE "$operation" lib cli)" = lib/content/recipe.c ]
}

@test "only codec.c knows how a chunk is encoded" {
	encoding='CHUNK_RAW|encoding [=!]= [A-Z0-9]'
	[ "$(grep -rlE "$encoding" lib cli --include='*.c')" = lib/store/codec.c ]
}

@test "no room has more than 30 files or 7000 lines" {
	for room in "${rooms[@]}"; do
		files=("lib/$room"/*)
		[ "${#files[@]}" -le 30 ]
		[ "$(cat "${files[@]}" | wc -l)" -le 7000 ]
	done
}

# Print the lines of a room's table in doc/hacking.md.
table() {
	awk -v head="| \`$1\` |" 'index($0, head) == 1 { on = 1 }
		/^$/ { on = 0 }
		on' doc/hacking.md
}

@test "every source has its place in a table of doc/hacking.md" {
	for source in lib/*/*.c; do
		name=$(basename "$source" .c)
		table "${source%/*}" |
			grep -qE "\`($name\.[ch]|${name%%_*}_?\*\.c)\`" ||
			{ echo "$source"; false; }
	done
	for source in cli/*.c; do
		grep -qF "\`${source#cli/}\`" <(table cli) ||
			grep -qE '^const struct cmd cmd_' "$source" ||
			{ echo "$source"; false; }
	done
}

@test "the tables of doc/hacking.md name no source that is gone" {
	for room in "${rooms[@]}"; do
		for name in $(table "lib/$room" |
				grep -oE '`[a-z0-9_*]+\.[ch]`' | tr -d '`'); do
			compgen -G "lib/$room/$name" >/dev/null ||
				{ echo "lib/$room/$name"; false; }
		done
	done
}
