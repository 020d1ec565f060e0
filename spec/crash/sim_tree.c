/*
 * sim_tree.c -- pages, inodes and trees, shared until they are changed.
 */
#include "sim_tree.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void *sim_realloc(void *old, size_t size)
{
    void *p = realloc(old, size > 0 ? size : 1);

    if (!p)
        abort();
    return p;
}

void *sim_alloc(size_t size)
{
    return memset(sim_realloc(NULL, size), 0, size);
}

struct page *page_new(void)
{
    struct page *page = sim_alloc(sizeof *page);

    page->refs = 1;
    return page;
}

struct page *page_ref(struct page *page)
{
    if (page)
        page->refs++;
    return page;
}

void page_drop(struct page *page)
{
    if (page && --page->refs == 0)
        free(page);
}

uint64_t page_hash(struct page *page)
{
    uint64_t h[4] = {1, 2, 3, 4}, words[4], any = 0;

    if (!page)
        return 0;
    if (page->hashed)
        return page->hash;
    for (size_t i = 0; i < SIM_PAGE; i += sizeof words) {
        memcpy(words, page->data + i, sizeof words);
        for (int lane = 0; lane < 4; lane++) { /* side by side in the processor */
            any |= words[lane];
            h[lane] = (h[lane] ^ words[lane]) * 0xff51afd7ed558ccdu;
            h[lane] ^= h[lane] >> 32;
        }
    }
    for (int lane = 1; lane < 4; lane++)
        h[0] = (h[0] ^ h[lane]) * 0xc4ceb9fe1a85ec53u ^ h[0] >> 29;
    page->hash = any ? h[0] | 1 : 0;
    page->hashed = true;
    return page->hash;
}

struct name *name_new(const char *text)
{
    size_t len = strlen(text);
    struct name *name = sim_realloc(NULL, sizeof *name + len + 1);

    name->refs = 1;
    memcpy(name->text, text, len + 1);
    return name;
}

struct name *name_ref(struct name *name)
{
    if (name)
        name->refs++;
    return name;
}

void name_drop(struct name *name)
{
    if (name && --name->refs == 0)
        free(name);
}

struct inode *inode_new(enum up_node_kind kind, unsigned mode)
{
    struct inode *inode = sim_alloc(sizeof *inode);

    inode->refs = 1;
    inode->kind = kind;
    inode->mode = mode & 07777;
    return inode;
}

struct inode *inode_ref(struct inode *inode)
{
    if (inode)
        inode->refs++;
    return inode;
}

void inode_drop(struct inode *inode)
{
    if (!inode || --inode->refs > 0)
        return;
    for (size_t i = 0; i < inode->page_count; i++)
        page_drop(inode->pages[i]);
    for (size_t i = 0; i < inode->entry_count; i++)
        name_drop(inode->entries[i].name);
    name_drop(inode->target);
    flash_free(inode->flash);
    free(inode->pages);
    free(inode->entries);
    free(inode);
}

static struct inode *inode_copy(const struct inode *from)
{
    struct inode *to = sim_realloc(NULL, sizeof *to);

    *to = *from;
    to->refs = 1;
    to->pages = NULL;
    to->entries = NULL;
    if (from->page_count > 0) {
        to->pages = sim_realloc(NULL, from->page_count * sizeof *to->pages);
        for (size_t i = 0; i < from->page_count; i++)
            to->pages[i] = page_ref(from->pages[i]);
    }
    if (from->entry_count > 0) {
        to->entries = sim_realloc(NULL, from->entry_count * sizeof *to->entries);
        for (size_t i = 0; i < from->entry_count; i++)
            to->entries[i] = (struct entry){name_ref(from->entries[i].name), from->entries[i].ino};
    }
    name_ref(to->target);
    if (from->flash)
        to->flash = flash_copy(from->flash);
    return to;
}

void inode_settle(struct inode *made, const struct inode *dir)
{
    made->fs = dir->fs;
    made->no_links = dir->no_links;
    made->folds = dir->folds;
}

struct inode *inode_own(struct node *node)
{
    if (node->inode->refs > 1) {
        struct inode *own = inode_copy(node->inode);

        node->inode->refs--;
        node->inode = own;
    }
    return node->inode;
}

static bool entry_is(const struct inode *dir, size_t i, const char *name)
{
    if (i >= dir->entry_count)
        return false;
    return (dir->folds ? strcasecmp : strcmp)(dir->entries[i].name->text, name) == 0;
}

/* Index of the first entry that is not before name. */
static size_t dir_position(const struct inode *dir, const char *name)
{
    size_t low = 0, high = dir->entry_count;

    for (size_t i = 0; dir->folds && i < high; i++)
        if (entry_is(dir, i, name))
            return i;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(dir->entries[middle].name->text, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

unsigned dir_find(const struct inode *dir, const char *name)
{
    size_t i = dir_position(dir, name);

    return entry_is(dir, i, name) ? dir->entries[i].ino : 0;
}

void dir_set(struct inode *dir, struct name *name, unsigned ino)
{
    size_t i = dir_position(dir, name->text);
    bool there = entry_is(dir, i, name->text);

    if (there && ino) {
        dir->entries[i].ino = ino;
    } else if (there) {
        name_drop(dir->entries[i].name);
        dir->entry_count--;
        memmove(dir->entries + i, dir->entries + i + 1, (dir->entry_count - i) * sizeof *dir->entries);
    } else if (ino) {
        dir->entries = sim_realloc(dir->entries, (dir->entry_count + 1) * sizeof *dir->entries);
        memmove(dir->entries + i + 1, dir->entries + i, (dir->entry_count - i) * sizeof *dir->entries);
        dir->entries[i] = (struct entry){name_ref(name), ino};
        dir->entry_count++;
    }
}

static size_t smaller(uint64_t a, uint64_t b)
{
    return (size_t)(a < b ? a : b);
}

void file_read(const struct inode *file, void *buf, size_t len, uint64_t offset)
{
    uint8_t *out = buf;

    while (len > 0) {
        size_t index = (size_t)(offset / SIM_PAGE), at = (size_t)(offset % SIM_PAGE);
        size_t n = smaller(len, SIM_PAGE - at);
        const struct page *page = index < file->page_count ? file->pages[index] : NULL;

        if (page)
            memcpy(out, page->data + at, n);
        else
            memset(out, 0, n);
        out += n;
        offset += n;
        len -= n;
    }
}

static void file_reach(struct inode *file, size_t index)
{
    size_t count = index + 1;

    if (count <= file->page_count)
        return;
    file->pages = sim_realloc(file->pages, count * sizeof *file->pages);
    memset(file->pages + file->page_count, 0, (count - file->page_count) * sizeof *file->pages);
    file->page_count = count;
}

void file_put_page(struct inode *file, size_t index, struct page *page)
{
    file_reach(file, index);
    page_drop(file->pages[index]);
    file->pages[index] = page;
}

struct page *file_page(struct inode *file, size_t index)
{
    struct page *old, *page;

    file_reach(file, index);
    old = file->pages[index];
    if (!old || old->refs > 1) {
        page = sim_realloc(NULL, sizeof *page);
        page->refs = 1;
        if (old) {
            memcpy(page->data, old->data, SIM_PAGE);
            old->refs--;
        } else {
            memset(page->data, 0, SIM_PAGE);
        }
        file->pages[index] = page;
    }
    file->pages[index]->hashed = false;
    return file->pages[index];
}

void file_write(struct inode *file, const void *data, size_t len, uint64_t offset)
{
    const uint8_t *in = data;

    if (len > 0 && offset + len > file->size)
        file->size = offset + len;
    while (len > 0) {
        size_t at = (size_t)(offset % SIM_PAGE), n = smaller(len, SIM_PAGE - at);

        memcpy(file_page(file, (size_t)(offset / SIM_PAGE))->data + at, in, n);
        in += n;
        offset += n;
        len -= n;
    }
}

void file_zero(struct inode *file, uint64_t offset, uint64_t len)
{
    struct page *zeros = page_new();

    if (len > 0 && offset + len > file->size)
        file->size = offset + len;
    while (len > 0) {
        size_t index = (size_t)(offset / SIM_PAGE), at = (size_t)(offset % SIM_PAGE);
        size_t n = smaller(len, SIM_PAGE - at);

        /* Zeroed pages stay allocated, as after FALLOC_FL_ZERO_RANGE. */
        if (n == SIM_PAGE)
            file_put_page(file, index, page_ref(zeros));
        else
            memset(file_page(file, index)->data + at, 0, n);
        offset += n;
        len -= n;
    }
    page_drop(zeros);
}

void file_resize(struct inode *file, uint64_t size)
{
    size_t count = (size_t)((size + SIM_PAGE - 1) / SIM_PAGE), tail = (size_t)(size % SIM_PAGE);

    while (file->page_count > count)
        page_drop(file->pages[--file->page_count]);
    if (tail > 0 && file->page_count == count && file->pages[count - 1]) {
        static const uint8_t zeros[SIM_PAGE];

        /* Only a page that must be cleaned is copied. */
        if (memcmp(file->pages[count - 1]->data + tail, zeros, SIM_PAGE - tail) != 0)
            memset(file_page(file, count - 1)->data + tail, 0, SIM_PAGE - tail);
    }
    file->size = size;
}

void tree_copy(struct tree *out, const struct tree *from)
{
    out->count = from->count;
    out->nodes = sim_realloc(NULL, from->count * sizeof *out->nodes);
    for (size_t i = 0; i < from->count; i++) {
        out->nodes[i] = from->nodes[i];
        inode_ref(out->nodes[i].inode);
    }
}

void tree_clear(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        inode_drop(tree->nodes[i].inode);
    free(tree->nodes);
    tree->nodes = NULL;
    tree->count = 0;
}

unsigned tree_add(struct tree *tree, struct inode *inode)
{
    tree->nodes = sim_realloc(tree->nodes, (tree->count + 1) * sizeof *tree->nodes);
    tree->nodes[tree->count] = (struct node){.inode = inode};
    return (unsigned)tree->count++;
}

void tree_forget(struct tree *tree, unsigned ino)
{
    struct node *node = &tree->nodes[ino];

    if (node->links > 0 || node->opens > 0)
        return;
    inode_drop(node->inode);
    node->inode = NULL;
}

static void count_links(struct tree *tree, unsigned ino)
{
    const struct inode *inode = tree->nodes[ino].inode;

    if (tree->nodes[ino].links++ > 0)
        return;
    for (size_t i = 0; i < inode->entry_count; i++)
        count_links(tree, inode->entries[i].ino);
}

void tree_collect(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        tree->nodes[i].links = tree->nodes[i].opens = tree->nodes[i].locked = 0;
    count_links(tree, SIM_ROOT);
    for (size_t i = 0; i < tree->count; i++)
        tree_forget(tree, (unsigned)i);
}

uint64_t tree_used(const struct tree *tree)
{
    uint64_t used = 0;

    for (size_t i = 0; i < tree->count; i++) {
        const struct inode *inode = tree->nodes[i].inode;

        if (!inode || inode->kind != UP_NODE_FILE)
            continue;
        for (size_t p = 0; p < inode->page_count; p++)
            used += inode->pages[p] ? SIM_PAGE : 0;
    }
    return used;
}
