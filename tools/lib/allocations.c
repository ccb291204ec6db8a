/* Counts how often a program asks for memory: loaded before it (LD_PRELOAD), and asked by allocations_so_far(). */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static atomic_uint_fast64_t count;

uint64_t allocations_so_far(void) { return atomic_load_explicit(&count, memory_order_relaxed); }

static void more(void) { atomic_fetch_add_explicit(&count, 1, memory_order_relaxed); }

void *malloc(size_t size) { more(); return __libc_malloc(size); }
void *calloc(size_t items, size_t size) { more(); return __libc_calloc(items, size); }
void *realloc(void *old, size_t size) { more(); return __libc_realloc(old, size); }
void *memalign(size_t alignment, size_t size) { more(); return __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { more(); return __libc_memalign(alignment, size); }
int posix_memalign(void **result, size_t alignment, size_t size) {
    more();
    *result = __libc_memalign(alignment, size);
    return *result == NULL ? 12 : 0;
}
