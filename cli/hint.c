/* SPDX-License-Identifier: MIT */
/* What the hints of the library are in options and commands of dsv. */
#include "cli.h"

#include <string.h>

/* A '%' is where the subject goes. */
static const char *const words[] = {
	[DSV_HINT_NONE] = "",
	[DSV_HINT_INIT] = "'dsv init' makes one",
	[DSV_HINT_TRUST] = "to trust it: dsv config --user safe.repository '%'",
	[DSV_HINT_CONFIG_LEVEL] = "give --user or --system",
	[DSV_HINT_FSCK] = "see 'dsv fsck'",
	[DSV_HINT_REBUILD] = "'dsv fsck --rebuild' makes the catalog anew",
	[DSV_HINT_REMOVE_ORPHAN] = "'dsv prune' or --repair removes it",
	[DSV_HINT_LOCK_WAIT] = "wait longer with --lock-wait, or end that"
		" process",
	[DSV_HINT_LOCK_REMOTE] = "wait longer with --lock-wait, run a command"
		" there, or remove the file if it is dead for certain",
	[DSV_HINT_BRANCH_MOVE] = "'dsv branch -f' moves it",
	[DSV_HINT_BRANCH_OTHER] = "choose another with -b",
	[DSV_HINT_BRANCH_SWITCH] = "'dsv switch' to another first",
	[DSV_HINT_NAME_MOVE] = "'dsv name -f' moves it",
	[DSV_HINT_FORK_OR_PARENT] = "fork it with 'dsv fork %', start a branch"
		" with '--parent % -b NEW', or insist with '--parent HEAD'",
	[DSV_HINT_PARENT_HEAD] = "add '--parent HEAD', or start a new branch"
		" with -b",
	[DSV_HINT_OVERWRITE] = "--force overwrites",
	[DSV_HINT_TENSORS] = "'dsv show --tensors' lists them",
	[DSV_HINT_EXCLUDE] = "--exclude leaves it out",
	[DSV_HINT_COLLECTIVE] = "--collective makes one",
	[DSV_HINT_RANKS] = "give --rank and --ranks, set RANK and WORLD_SIZE,"
		" or start it with srun",
	[DSV_HINT_GROUP] = "name it with --group",
	[DSV_HINT_GROUP_OTHER] = "give another --group",
	[DSV_HINT_RANK_OTHER] = "--rank I has another's",
	[DSV_HINT_WAIT] = "'dsv wait %' makes it durable",
	[DSV_HINT_ARRAY] = "submit it with sbatch --array=%",
	[DSV_HINT_PARTS_ALL] = "--dsv-parts=all places all parts",
	[DSV_HINT_TASKS] = "ask for % with -n %, or for all parts on each node"
		" with --dsv-parts=all",
	[DSV_HINT_BISECT_START] = "'dsv bisect start BAD GOOD' begins one",
	[DSV_HINT_BISECT_LOG] = "see 'dsv bisect log'",
	[DSV_HINT_BISECT_RESET] = "'dsv bisect reset' forgets it",
	[DSV_HINT_BISECT_ALONG] = "see --along",
	[DSV_HINT_JOB_SYNC] = "'dsv job sync' ends the hold of one that is"
		" gone",
	[DSV_HINT_UNPIN] = "'dsv unpin %' first",
	[DSV_HINT_RESTORE] = "'dsv restore' brings it back within its grace",
	[DSV_HINT_KEEP] = "give one, such as --keep-last;"
		" --unsafe-allow-remove-all removes all that is selected",
	[DSV_HINT_REMOVE_ALL] = "--unsafe-allow-remove-all insists",
};

/* An id is shown as elsewhere, by its first digits. */
static int subject_length(const char *subject)
{
	size_t len = strlen(subject);

	return len == DSV_ID_SIZE - 1 &&
	       strspn(subject, "0123456789abcdef") == len ? 12 : (int)len;
}

bool hint_text(enum dsv_hint hint, const char *subject, char out[HINT_SIZE])
{
	const char *p, *end;
	size_t len = 0;

	out[0] = '\0';
	/* Another rank may run a newer dsv. */
	if ((size_t)hint >= sizeof(words) / sizeof(words[0]) || !words[hint])
		return false;
	for (p = words[hint]; *p && len < HINT_SIZE; p = *end ? end + 1 : end) {
		end = p + strcspn(p, "%");
		len += (size_t)snprintf(out + len, HINT_SIZE - len, "%.*s%.*s",
					(int)(end - p), p,
					*end ? subject_length(subject) : 0,
					subject);
	}
	return out[0] != '\0';
}

void err_text(const struct dsv_err *err, char out[ERR_TEXT_SIZE])
{
	char hint[HINT_SIZE];
	bool hinted = hint_text(err->hint, err->subject, hint);

	snprintf(out, ERR_TEXT_SIZE, "%s%s%s%s", err->msg,
		 hinted ? " (" : "", hint, hinted ? ")" : "");
}
