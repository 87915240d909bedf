/* What changes make of an ACL. */
#include "namenode/namespace/acl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- lists of entries ---- */

static int compare(const struct acl_entry *a, const struct acl_entry *b)
{
    if (a->scope != b->scope)
        return a->scope - b->scope;
    if (a->type != b->type)
        return a->type - b->type;
    if (!a->name || !b->name)
        return (a->name != NULL) - (b->name != NULL);
    return strcmp(a->name, b->name);
}

static int compare_entries(const void *a, const void *b)
{
    return compare(a, b);
}

static void sort(struct acl *acl)
{
    qsort(acl->entries, acl->count, sizeof acl->entries[0], compare_entries);
}

static const struct acl_entry *find(const struct acl *acl, const struct acl_entry *key)
{
    for (size_t i = 0; i < acl->count; i++)
        if (!compare(&acl->entries[i], key))
            return &acl->entries[i];
    return NULL;
}

static const struct acl_entry *find_unnamed(const struct acl *acl, enum acl_scope scope, enum acl_type type)
{
    struct acl_entry key = {.scope = (uint8_t)scope, .type = (uint8_t)type};
    return find(acl, &key);
}

static size_t count_scope(const struct acl *acl, enum acl_scope scope)
{
    size_t count = 0;
    for (size_t i = 0; i < acl->count; i++)
        count += acl->entries[i].scope == scope;
    return count;
}

static void append(struct acl *acl, struct acl_entry e)
{
    assert(acl->count < ACL_DRAFT_MAX);
    acl->entries[acl->count++] = e;
}

static int check_count(const struct acl *acl, struct err *reterr)
{
    static const char *const scopes[] = {[ACL_ACCESS] = "access", [ACL_DEFAULT] = "default"};
    for (int scope = ACL_ACCESS; scope <= ACL_DEFAULT; scope++) {
        size_t count = count_scope(acl, (enum acl_scope)scope);
        if (count > ACL_SCOPE_ENTRIES_MAX)
            return err_set(reterr, ERR_ACL, "Invalid ACL: ACL has %zu %s entries, which exceeds maximum of %d.", count,
                           scopes[scope], ACL_SCOPE_ENTRIES_MAX);
    }
    return 0;
}

int acl_check_spec(struct acl *spec, struct err *reterr)
{
    sort(spec);
    return check_count(spec, reterr);
}

/* ---- a new list in the making ---- */

struct draft {
    struct acl *acl;                 /* all but the masks, until draft_finish */
    const struct acl_entry *mask[2]; /* given or kept, per scope */
    bool changed[2], mask_changed[2];
};

static void draft_keep(struct draft *d, const struct acl_entry *e)
{
    if (e->type == ACL_MASK)
        d->mask[e->scope] = e;
    else
        append(d->acl, *e);
}

static void draft_note_change(struct draft *d, const struct acl_entry *e)
{
    d->changed[e->scope] = true;
    d->mask_changed[e->scope] |= e->type == ACL_MASK;
}

/* A default ACL takes from the access ACL what nobody said. */
static void draft_complete_defaults(struct draft *d)
{
    static const enum acl_type base[] = {ACL_USER, ACL_GROUP, ACL_OTHER};
    if (!count_scope(d->acl, ACL_DEFAULT))
        return;
    for (size_t i = 0; i < ARRAY_COUNT(base); i++) {
        const struct acl_entry *access = find_unnamed(d->acl, ACL_ACCESS, base[i]);
        if (access && !find_unnamed(d->acl, ACL_DEFAULT, base[i]))
            append(d->acl, (struct acl_entry){ACL_DEFAULT, access->type, access->rwx, NULL});
    }
}

/* A mask that was given, or that nothing happened to, stays; else it is the union of what it masks. */
static int draft_add_masks(struct draft *d, struct err *reterr)
{
    for (int scope = ACL_ACCESS; scope <= ACL_DEFAULT; scope++) {
        bool needed = false;
        uint8_t rwx = 0;
        if (!count_scope(d->acl, (enum acl_scope)scope))
            continue;
        for (size_t i = 0; i < d->acl->count; i++) {
            const struct acl_entry *e = &d->acl->entries[i];
            if (e->scope == scope && (e->type == ACL_GROUP || e->name))
                rwx |= e->rwx;
            needed |= e->scope == scope && e->name;
        }
        const struct acl_entry *mask = d->mask[scope];
        if (!mask && needed && d->mask_changed[scope])
            return err_set(reterr, ERR_ACL, "Invalid ACL: mask is required and cannot be deleted.");
        if (mask && (!d->changed[scope] || d->mask_changed[scope]))
            append(d->acl, *mask);
        else if (mask || needed)
            append(d->acl, (struct acl_entry){(uint8_t)scope, ACL_MASK, rwx, NULL});
    }
    return 0;
}

static int refuse_name(const struct acl_entry *e, struct err *reterr)
{
    static const char *const symbols[] = {"---", "--x", "-w-", "-wx", "r--", "r-x", "rw-", "rwx"};
    return err_set(reterr, ERR_ACL, "Invalid ACL: this entry type must not have a name: %s%s:%s:%s.",
                   e->scope == ACL_DEFAULT ? "default:" : "", e->type == ACL_MASK ? "mask" : "other", e->name,
                   symbols[e->rwx & 7]);
}

static int check(const struct acl *acl, struct err *reterr)
{
    static const enum acl_type base[] = {ACL_USER, ACL_GROUP, ACL_OTHER};
    for (size_t i = 0; i < acl->count; i++) {
        const struct acl_entry *e = &acl->entries[i];
        if (i && !compare(e - 1, e))
            return err_set(reterr, ERR_ACL, "Invalid ACL: multiple entries with same scope, type and name.");
        if (e->name && (e->type == ACL_MASK || e->type == ACL_OTHER))
            return refuse_name(e, reterr);
    }
    int rc = check_count(acl, reterr);
    bool has_default = count_scope(acl, ACL_DEFAULT) > 0;
    for (size_t i = 0; !rc && i < ARRAY_COUNT(base); i++) {
        if (!find_unnamed(acl, ACL_ACCESS, base[i]))
            rc = err_set(reterr, ERR_ACL, "Invalid ACL: the user, group and other entries are required.");
        else if (has_default && !find_unnamed(acl, ACL_DEFAULT, base[i]))
            rc = err_set(reterr, ERR_ACL, "Invalid default ACL: the user, group and other entries are required.");
    }
    return rc;
}

static int draft_finish(struct draft *d, struct err *reterr)
{
    draft_complete_defaults(d);
    int rc = draft_add_masks(d, reterr);
    if (rc)
        return rc;
    sort(d->acl);
    return check(d->acl, reterr);
}

/* ---- the changes ---- */

int acl_merge(const struct acl *old, const struct acl *change, struct acl *ret, struct err *reterr)
{
    struct draft d = {.acl = ret};
    ret->count = 0;
    for (size_t i = 0; i < old->count; i++) {
        const struct acl_entry *replaced_by = find(change, &old->entries[i]);
        if (replaced_by)
            draft_note_change(&d, replaced_by);
        draft_keep(&d, replaced_by ? replaced_by : &old->entries[i]);
    }
    for (size_t i = 0; i < change->count; i++)
        if (!find(old, &change->entries[i])) {
            draft_note_change(&d, &change->entries[i]);
            draft_keep(&d, &change->entries[i]);
        }
    return draft_finish(&d, reterr);
}

int acl_remove(const struct acl *old, const struct acl *change, struct acl *ret, struct err *reterr)
{
    struct draft d = {.acl = ret};
    ret->count = 0;
    for (size_t i = 0; i < old->count; i++)
        if (find(change, &old->entries[i]))
            draft_note_change(&d, &old->entries[i]);
        else
            draft_keep(&d, &old->entries[i]);
    return draft_finish(&d, reterr);
}

int acl_remove_default(const struct acl *old, struct acl *ret, struct err *reterr)
{
    ret->count = 0;
    for (size_t i = 0; i < old->count && old->entries[i].scope == ACL_ACCESS; i++)
        append(ret, old->entries[i]);
    return check(ret, reterr);
}

int acl_replace(const struct acl *old, const struct acl *change, struct acl *ret, struct err *reterr)
{
    struct draft d = {.acl = ret};
    ret->count = 0;
    for (size_t i = 0; i < change->count; i++) {
        draft_note_change(&d, &change->entries[i]);
        draft_keep(&d, &change->entries[i]);
    }
    for (size_t i = 0; i < old->count; i++)
        if (!d.changed[old->entries[i].scope])
            draft_keep(&d, &old->entries[i]);
    return draft_finish(&d, reterr);
}
