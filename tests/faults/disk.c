/* Stands before libc for each call that changes files beneath one folder. Loaded by LD_PRELOAD.
 *
 * Counts the calls of all processes together, lets the N-th one fail or kills its process before
 * it, and logs what was done, contents included, for a simulated power cut. Silent until
 * disk_watch() is called, or the environment says so to a program that such a process has started.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Shared by all processes of one installation through a file; tests/faults/disk.py writes it. */
struct control {
    int64_t calls;  /* so far */
    int64_t at;     /* the call that meets the fault; 0 for none */
    int64_t error;  /* errno of the fault; 0 kills */
    int64_t spared; /* a process that only looks, and is not counted */
    char met[PATH_MAX + 64]; /* what met the fault; empty before */
};

struct record {
    int64_t kind, inode, offset, first, second; /* lengths of the two texts that follow */
};

static struct control *control;
static int journal = -1;
static char root[PATH_MAX];
static size_t root_length;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

void disk_watch(const char *folder, const char *control_file, const char *log_file) {
    root_length = strlen(folder);
    memcpy(root, folder, root_length + 1);
    int file = NEXT(open)(control_file, O_RDWR | O_CLOEXEC);
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (*log_file)
        journal = NEXT(open)(log_file, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (control == MAP_FAILED || (*log_file && journal < 0))
        abort();
}

__attribute__((constructor)) static void inherit(void) {
    const char *folder = getenv("DISK_FOLDER");
    if (folder)
        disk_watch(folder, getenv("DISK_CONTROL"), getenv("DISK_LOG"));
}

static int beneath(const char *path) {
    return control && !strncmp(path, root, root_length) && path[root_length] == '/';
}

/* The path behind a file descriptor, empty when it is none of ours. */
static const char *open_path(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = control ? readlink(link, path, PATH_MAX - 1) : 0;
    path[length > 0 ? length : 0] = 0;
    return beneath(path) ? path : "";
}

static const char *full_path(int folder, const char *name, char *path) {
    char base[PATH_MAX] = "";
    *path = 0;
    if (!control)
        return "";
    if (*name != '/' && folder == AT_FDCWD && !getcwd(base, sizeof base))
        return "";
    if (*name != '/' && folder != AT_FDCWD)
        open_path(folder, base);
    int length = snprintf(path, PATH_MAX, "%s%s%s", base, *base ? "/" : "", name);
    return length < PATH_MAX && beneath(path) ? path : "";
}

/* True when the call that is about to happen must fail; does not return when it must kill. */
static int fails(const char *call, const char *path) {
    if (!*path || control->spared == getpid())
        return 0;
    if (__sync_add_and_fetch(&control->calls, 1) != control->at)
        return 0;
    snprintf(control->met, sizeof control->met, "%s %s", call, path);
    if (!control->error)
        kill(getpid(), SIGKILL);
    errno = (int)control->error;
    return 1;
}

static void note(char kind, int64_t inode, int64_t offset, const char *first, const void *second,
                 size_t length) {
    struct record head = {kind, inode, offset, (int64_t)strlen(first), (int64_t)length};
    struct iovec parts[] = {
        {&head, sizeof head}, {(void *)first, strlen(first)}, {(void *)second, length}};
    int before = errno;
    /* One call, so that records of several processes do not mix. */
    if (journal >= 0 && writev(journal, parts, 3) < 0)
        abort();
    errno = before;
}

/* A call and its record are one step for all processes: the log has their true order. In each of
 * them one thread at a time changes files. */
static int hold(const char *path) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return *path && journal >= 0 && !fcntl(journal, F_SETLKW, &whole);
}
static void release(int *held) {
    struct flock whole = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    if (*held)
        fcntl(journal, F_SETLK, &whole);
}
#define IN_ORDER(path) __attribute__((cleanup(release), unused)) int held = hold(path);

/* What somebody was told, in its place between the calls. */
void disk_note(const char *text) { note('N', 0, 0, text, "", 0); }

static int64_t inode_of(int file) {
    struct stat facts;
    return fstat(file, &facts) ? 0 : (int64_t)facts.st_ino;
}

static int opened(int folder, const char *name, int flags, mode_t mode) {
    char buffer[PATH_MAX];
    const char *path = flags & (O_CREAT | O_TRUNC) ? full_path(folder, name, buffer) : "";
    IN_ORDER(path)
    struct stat facts;
    int creates = *path && (flags & O_CREAT) && stat(path, &facts) < 0;
    int empties = *path && (flags & O_TRUNC) && !creates;
    if ((creates || empties) && fails(creates ? "open" : "empty", path))
        return -1;
    int file = NEXT(openat)(folder, name, flags, mode);
    if (file >= 0 && creates)
        note('C', inode_of(file), 0, path, "", 0);
    if (file >= 0 && empties)
        note('T', inode_of(file), 0, "", "", 0);
    return file;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list list; \
        va_start(list, flags); \
        mode = va_arg(list, mode_t); \
        va_end(list); \
    }

int open(const char *name, int flags, ...) {
    MODE(flags)
    return opened(AT_FDCWD, name, flags, mode);
}
int open64(const char *name, int flags, ...) {
    MODE(flags)
    return opened(AT_FDCWD, name, flags | O_LARGEFILE, mode);
}
int openat(int folder, const char *name, int flags, ...) {
    MODE(flags)
    return opened(folder, name, flags, mode);
}
int openat64(int folder, const char *name, int flags, ...) {
    MODE(flags)
    return opened(folder, name, flags | O_LARGEFILE, mode);
}

ssize_t write(int file, const void *data, size_t length) {
    char buffer[PATH_MAX];
    const char *path = open_path(file, buffer);
    IN_ORDER(path)
    if (fails("write", path))
        return -1;
    ssize_t done = NEXT(write)(file, data, length);
    if (done > 0 && *path)
        note('W', inode_of(file), lseek(file, 0, SEEK_CUR) - done, "", data, (size_t)done);
    return done;
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t offset) {
    char buffer[PATH_MAX];
    const char *path = open_path(file, buffer);
    IN_ORDER(path)
    if (fails("write", path))
        return -1;
    ssize_t done = NEXT(pwrite64)(file, data, length, offset);
    if (done > 0 && *path)
        note('W', inode_of(file), offset, "", data, (size_t)done);
    return done;
}
ssize_t pwrite(int file, const void *data, size_t length, off_t offset) {
    return pwrite64(file, data, length, offset);
}

int ftruncate64(int file, off64_t length) {
    char buffer[PATH_MAX];
    const char *path = open_path(file, buffer);
    IN_ORDER(path)
    if (fails("truncate", path))
        return -1;
    int result = NEXT(ftruncate64)(file, length);
    if (!result && *path)
        note('T', inode_of(file), length, "", "", 0);
    return result;
}
int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

static int synced(int file, int (*call)(int)) {
    char buffer[PATH_MAX];
    const char *path = open_path(file, buffer);
    IN_ORDER(path)
    struct stat facts;
    if (fails("sync", path))
        return -1;
    if (!*path)
        return call(file);
    /* Not done: a killed process leaves its writes behind without it, and it costs time. */
    if (!fstat(file, &facts))
        note(S_ISDIR(facts.st_mode) ? 'D' : 'S', (int64_t)facts.st_ino, 0, path, "", 0);
    return 0;
}
int fsync(int file) { return synced(file, NEXT(fsync)); }
int fdatasync(int file) { return synced(file, NEXT(fdatasync)); }

int renameat(int old_folder, const char *old, int new_folder, const char *new) {
    char from[PATH_MAX], to[PATH_MAX];
    full_path(old_folder, old, from);
    const char *path = full_path(new_folder, new, to);
    IN_ORDER(path)
    if (fails("rename", path))
        return -1;
    int result = NEXT(renameat)(old_folder, old, new_folder, new);
    if (!result && *path)
        note('R', 0, 0, from, to, strlen(to));
    return result;
}
int rename(const char *old, const char *new) { return renameat(AT_FDCWD, old, AT_FDCWD, new); }

int unlinkat(int folder, const char *name, int flags) {
    char buffer[PATH_MAX];
    const char *path = flags ? "" : full_path(folder, name, buffer);
    IN_ORDER(path)
    struct stat facts;
    if (*path && !lstat(path, &facts) && fails("unlink", path))
        return -1;
    int result = NEXT(unlinkat)(folder, name, flags);
    if (!result && *path)
        note('U', 0, 0, path, "", 0);
    return result;
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
