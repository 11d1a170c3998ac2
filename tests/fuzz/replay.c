/*
 * Runs a fuzz target over files: what CI does with the seeds, and what a developer does with one
 * finding.  Usage: target FILE-OR-FOLDER ...
 */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static unsigned replayed;

static void
replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t len = 0, room = 0;

	if (file == NULL) {
		perror(path);
		exit(1);
	}
	for (;;) {
		if (len == room) {
			room = room == 0 ? 65536 : room * 2;
			data = realloc(data, room);
			if (data == NULL)
				abort();
		}
		size_t got = fread(data + len, 1, room - len, file);
		if (got == 0)
			break;
		len += got;
	}
	fclose(file);

	/* An allocation of the exact size lets a sanitizer see a read past the end. */
	uint8_t *exact = malloc(len > 0 ? len : 1);
	if (exact == NULL)
		abort();
	if (len > 0)
		memcpy(exact, data, len);
	free(data);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	replayed++;
}

static void
replay_path(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	if (folder == NULL) {
		replay_file(path);
		return;
	}
	while ((entry = readdir(folder)) != NULL) {
		char name[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		replay_path(name);
	}
	closedir(folder);
}

int
main(int argc, char **argv)
{
	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		replay_path(argv[i]);
	printf("replayed %u inputs\n", replayed);
	return replayed > 0 ? 0 : 1;
}
