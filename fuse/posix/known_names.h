/* Names and attributes that the namenode has told ahead of their being asked for, and that names are not there: so that
 * a program that looks at one file of a folder after another has most of them from here.
 *
 * What is in here is what the namenode said, unless something was said to have changed since. The rule that keeps it
 * so:
 *
 *   1. known_names_now() comes before a call is sent, and goes with its answer into known_names_page() or
 *      known_names_did(): whatever was noted as changed in between is not believed of that answer. (An answer may have
 *      been made before the change, and come after the word of it.)
 *   2. What others change is noted before the kernel is told of it.
 *   3. What this mount changes is noted when the namenode has answered, whatever it said, and before the kernel is
 *      answered: known_names_did() where the answer says how things are now, else known_names_changed() or
 *      known_names_inode_changed().
 *   4. The kernel is answered from here under known_names_hold(): so its having the answer comes before 2., and what it
 *      was told is taken back.
 *   5. Of a file that is open here nothing is believed: its attributes change without a word.
 * known_names_inode_changed() comes before its node goes.
 *   6. Nothing is older than believe_ms, so that a change that nobody heard of is seen in the end.
 *   7. A folder that others change is asked about each time until they have left it alone for SHARED_MS: who hears from
 *      them that they are done may be here before the word is.
 *   8. Other answers go to the kernel as they come, a page of a listing over many requests: of what was noted since it
 * was asked for (known_names_were_noted) the kernel is told no attributes, or to ask again, and a file that is opened
 * is loaded anew.
 *
 * Which entries are fetched: behind a name that was asked for, and the more often a folder is asked, the more of them;
 * with the first name some only if most folders are asked for more than one, and of a folder of which few are asked for
 * as many as AHEAD_TRUST, no more. Bounded in bytes: the folder that was not looked at for longest goes first. Any
 * thread. */
#ifndef CAIRN_FUSE_POSIX_KNOWN_NAMES_H
#define CAIRN_FUSE_POSIX_KNOWN_NAMES_H

#include "client/lib/posix.h"

struct known_names;
/* bytes_max 0: nothing is kept. */
struct known_names *known_names_new(size_t bytes_max, int64_t believe_ms);
void known_names_free(struct known_names *k); /* NULL is fine */

struct known_since {
    uint64_t notes;
    int64_t at_ms;
};
struct known_since known_names_now(struct known_names *k);
/* Of an answer that was asked for then: has something been noted that it may not know? name NULL: of the inode, or
 * something in it. Also where nothing is kept. */
bool known_names_were_noted(struct known_names *k, struct known_since since, uint64_t id, const char *name);

/* ---- looking ---- */
void known_names_hold(struct known_names *k); /* shared; nothing of this file but _find comes before _let_go */
void known_names_let_go(struct known_names *k);
enum known_name { NAME_NOT_KNOWN, NAME_ABSENT, NAME_KNOWN };
/* *ret is borrowed for as long as it is held; believe it *ret_left_ms longer. */
enum known_name known_names_find(struct known_names *k, uint64_t dir, const char *name, const struct posix_attr **ret,
                                 int64_t *ret_left_ms);

/* ---- being told ---- */
#define AHEAD_MAX   512
#define AHEAD_TRUST 2048
/* A name was not known: how many entries behind it are worth asking for. */
uint32_t known_names_ahead(struct known_names *k, uint64_t dir);
struct known_page {
    uint64_t dir;
    const char *from;               /* "": the beginning of the folder */
    const struct posix_attr *first; /* what has that name, id 0: nothing; NULL: that was not asked */
    const struct posix_entry *next; /* behind it, with nothing between */
    size_t count;
    bool more; /* there is something behind the last of them, or nobody knows */
};
void known_names_page(struct known_names *k, struct known_since since, const struct known_page *page);

/* ---- changes ---- */
#define SHARED_MS 5000
/* What others did; name NULL: with the inode. */
void known_names_told(struct known_names *k, uint64_t id, const char *name);
void known_names_changed(struct known_names *k, uint64_t dir, const char *name);
void known_names_inode_changed(struct known_names *k, uint64_t id);
void known_names_all_changed(struct known_names *k);
struct known_change {
    uint64_t dir;
    const char *name;
    const struct posix_attr *attr; /* what has that name now; NULL: nothing */
};
/* One change of this mount, and how things are after it. */
void known_names_did(struct known_names *k, struct known_since since, const struct known_change *list, size_t count);

#endif
