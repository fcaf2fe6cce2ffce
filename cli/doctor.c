/* SPDX-License-Identifier: MIT */
/* dsv doctor - report what the file systems here can do */
#include "cli.h"

static const struct opt opts[] = {
	{ 0 },
};

static int json_findings(const struct dsv_findings *list, struct dsv_err *err)
{
	struct dsv_json *j = json_new();
	size_t i;

	if (j) {
		dsv_json_array(j, NULL);
		for (i = 0; i < list->count; i++) {
			dsv_json_object(j, NULL);
			dsv_json_string(j, "name", list->items[i].name);
			dsv_json_string(j, "value", list->items[i].value);
			dsv_json_string(j, "advice", list->items[i].advice);
			dsv_json_end(j);
		}
		dsv_json_end(j);
	}
	return json_print(j, err);
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_findings list;
	int ret = cli_operands(argc, 0, 0, err);
	size_t i;

	(void)argv;
	if (ret == 0)
		ret = dsv_doctor(d, &list, err);
	if (ret < 0)
		return ret;
	if (cli.json) {
		ret = json_findings(&list, err);
	} else {
		for (i = 0; i < list.count; i++) {
			printf("%-18s ", list.items[i].name);
			out_text(stdout, list.items[i].value);
			putchar('\n');
			if (list.items[i].advice)
				printf("%-18s ! %s\n", "",
				       list.items[i].advice);
		}
	}
	dsv_findings_free(&list);
	return ret;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.summary = "report what the file systems here can do",
	.synopsis = "[OPTION...]",
	.opts = opts,
	.flags = CMD_REPO | CMD_JSON,
	.run = run,
};
