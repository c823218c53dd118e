/* Preloaded into a daemon: writes down what it does to the files below some folders, and what of that it has synced.
 *
 * disk.py reads the log and works out what a disk may have kept at a power cut. Nothing is written down before
 * powercut_begin(). An entry stands in the log before the caller goes on, and a sync only after it was done; it is not
 * passed on to the disk, since there is no power cut in earnest. One lock, so that the log has the order of the calls;
 * it is shared with forked children, and who kills one takes it first: no call is done whose entry is not there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef LINGER_US
#define LINGER_US 0 /* between a call and its entry */
#endif

enum { CREATE = 1, WRITE, TRUNCATE, SYNC_FILE, SYNC_FOLDER, RENAME, LINK, UNLINK, MKDIR, RMDIR };

struct entry {
    uint32_t kind, mode;
    uint64_t inode, offset;
    uint32_t path_bytes, data_bytes;
} __attribute__((packed));

static pthread_mutex_t *turn;
static int book = -1;
static char roots[2][PATH_MAX];

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* Make the lock anew, as its holder is dead. */
void powercut_renew(void)
{
    pthread_mutexattr_t shared;
    pthread_mutexattr_init(&shared);
    pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(turn, &shared);
    pthread_mutexattr_destroy(&shared);
}

/* Wait for the call that is being written down, and let no other one begin. */
void powercut_hold(void) { pthread_mutex_lock(turn); }

__attribute__((constructor)) static void prepare(void)
{
    turn = mmap(NULL, sizeof *turn, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (turn == MAP_FAILED) abort();
    powercut_renew();
}

void powercut_begin(const char *log, const char *first, const char *second)
{
    snprintf(roots[0], PATH_MAX, "%s/", first);
    snprintf(roots[1], PATH_MAX, "%s/", second);
    book = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (book < 0) abort();
}

static void note(int kind, uint64_t inode, uint64_t offset, uint32_t mode, const char *path, const void *data, size_t size)
{
    if (LINGER_US) usleep(LINGER_US);
    struct entry head = {kind, mode, inode, offset, strlen(path), size};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)path, head.path_bytes}, {(void *)data, size}};
    if (syscall(SYS_writev, book, parts, 3) != (long)(sizeof head + head.path_bytes + size)) abort();
}

static int below(const char *path)
{
    for (int i = 0; i < 2; i++) {
        size_t size = strlen(roots[i]);
        if (!strncmp(path, roots[i], size)) return 1;
        if (size > 1 && !strncmp(path, roots[i], size - 1) && !path[size - 1]) return 1; /* the root itself */
    }
    return 0;
}

static int named(int file, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    path[size < 0 ? 0 : size] = 0;
    return size > 0;
}

/* Tell whether the file of a descriptor counts; gives its path (of now) and its inode. */
static int counts(int file, char *path, struct stat *found)
{
    int before = errno;
    int yes = book >= 0 && named(file, path) && below(path) && !fstat(file, found);
    errno = before;
    return yes;
}

/* Tell whether a path counts; gives it in full. */
static int whole(int folder, const char *path, char *full)
{
    int before = errno, yes = 0;
    if (book >= 0) {
        char start[PATH_MAX] = "";
        if (path[0] == '/') yes = 1;
        else if (folder == AT_FDCWD) yes = getcwd(start, sizeof start) != NULL;
        else yes = named(folder, start);
        if (yes) {
            snprintf(full, 2 * PATH_MAX, "%s%s%s", start, path[0] == '/' ? "" : "/", path);
            yes = below(full);
        }
    }
    errno = before;
    return yes;
}

static int created(int folder, const char *path, int flags, mode_t mode)
{
    char full[2 * PATH_MAX];
    if (!(flags & (O_CREAT | O_TRUNC)) || !whole(folder, path, full))
        return syscall(SYS_openat, folder, path, flags, mode);
    struct stat found;
    pthread_mutex_lock(turn);
    int there = !fstatat(folder, path, &found, AT_SYMLINK_NOFOLLOW);
    int file = syscall(SYS_openat, folder, path, flags, mode);
    int after = errno;
    if (file >= 0 && !fstat(file, &found)) {
        if (!there) note(CREATE, found.st_ino, 0, found.st_mode & 07777, full, "", 0);
        else if (flags & O_TRUNC) note(TRUNCATE, found.st_ino, 0, 0, full, "", 0);
    }
    errno = after;
    pthread_mutex_unlock(turn);
    return file;
}

#define MODE(flags, mode) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, int); va_end(more); }

int open(const char *path, int flags, ...) { MODE(flags, mode); return created(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, mode); return created(AT_FDCWD, path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE(flags, mode); return created(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE(flags, mode); return created(folder, path, flags, mode); }

ssize_t write(int file, const void *data, size_t size)
{
    REAL(write);
    char path[PATH_MAX];
    struct stat found;
    if (!counts(file, path, &found)) return real(file, data, size);
    pthread_mutex_lock(turn);
    ssize_t done = real(file, data, size);
    int after = errno;
    if (done > 0) note(WRITE, found.st_ino, lseek(file, 0, SEEK_CUR) - done, 0, path, data, done);
    errno = after;
    pthread_mutex_unlock(turn);
    return done;
}

#define PWRITE(name, offset_type) \
    ssize_t name(int file, const void *data, size_t size, offset_type offset) \
    { \
        REAL(name); \
        char path[PATH_MAX]; \
        struct stat found; \
        if (!counts(file, path, &found)) return real(file, data, size, offset); \
        pthread_mutex_lock(turn); \
        ssize_t done = real(file, data, size, offset); \
        int after = errno; \
        if (done > 0) note(WRITE, found.st_ino, offset, 0, path, data, done); \
        errno = after; \
        pthread_mutex_unlock(turn); \
        return done; \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define FTRUNCATE(name, size_type) \
    int name(int file, size_type size) \
    { \
        REAL(name); \
        char path[PATH_MAX]; \
        struct stat found; \
        if (!counts(file, path, &found)) return real(file, size); \
        pthread_mutex_lock(turn); \
        int failed = real(file, size), after = errno; \
        if (!failed) note(TRUNCATE, found.st_ino, size, 0, path, "", 0); \
        errno = after; \
        pthread_mutex_unlock(turn); \
        return failed; \
    }
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

#define SYNC(name) \
    int name(int file) \
    { \
        REAL(name); \
        char path[PATH_MAX]; \
        struct stat found; \
        if (!counts(file, path, &found)) return real(file); \
        pthread_mutex_lock(turn); \
        note(S_ISDIR(found.st_mode) ? SYNC_FOLDER : SYNC_FILE, found.st_ino, 0, 0, path, "", 0); \
        pthread_mutex_unlock(turn); \
        return 0; \
    }
SYNC(fsync)
SYNC(fdatasync)

/* What takes one path, and what takes two. */
static int one(int kind, int folder, const char *path, mode_t mode, long failed_call)
{
    char full[2 * PATH_MAX];
    int after = errno;
    if (!failed_call && whole(folder, path, full)) note(kind, 0, 0, mode, full, "", 0);
    errno = after;
    return failed_call;
}

static int two(int kind, int from, const char *source, int to, const char *target, long failed_call)
{
    char first[2 * PATH_MAX], second[2 * PATH_MAX];
    int after = errno;
    if (!failed_call && whole(from, source, first) && whole(to, target, second))
        note(kind, 0, 0, 0, first, second, strlen(second));
    errno = after;
    return failed_call;
}

#define LOCKED(call) \
    pthread_mutex_lock(turn); \
    int failed = call; \
    pthread_mutex_unlock(turn); \
    return failed

int renameat2(int from, const char *source, int to, const char *target, unsigned int flags)
{
    LOCKED(two(RENAME, from, source, to, target, syscall(SYS_renameat2, from, source, to, target, flags)));
}
int renameat(int from, const char *source, int to, const char *target) { return renameat2(from, source, to, target, 0); }
int rename(const char *source, const char *target) { return renameat2(AT_FDCWD, source, AT_FDCWD, target, 0); }

int linkat(int from, const char *source, int to, const char *target, int flags)
{
    LOCKED(two(LINK, from, source, to, target, syscall(SYS_linkat, from, source, to, target, flags)));
}
int link(const char *source, const char *target) { return linkat(AT_FDCWD, source, AT_FDCWD, target, 0); }

int unlinkat(int folder, const char *path, int flags)
{
    int kind = flags & AT_REMOVEDIR ? RMDIR : UNLINK;
    LOCKED(one(kind, folder, path, 0, syscall(SYS_unlinkat, folder, path, flags)));
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int folder, const char *path, mode_t mode)
{
    LOCKED(one(MKDIR, folder, path, mode, syscall(SYS_mkdirat, folder, path, mode)));
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
