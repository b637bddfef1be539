// SPDX-License-Identifier: Apache-2.0
#include "base/rcu.h"

#include <urcu.h>

/*
 * ThreadSanitizer does not see inside the packaged library. Leaving a section releases, and the end of a
 * grace period acquires: exactly what the library promises.
 */
#if defined(__SANITIZE_THREAD__)
#define RCU_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RCU_TSAN 1
#endif
#endif

#ifdef RCU_TSAN
#include <sanitizer/tsan_interface.h>
static int rcu_order;
#define RCU_RELEASE() __tsan_release(&rcu_order)
#define RCU_ACQUIRE() __tsan_acquire(&rcu_order)
#else
#define RCU_RELEASE() ((void)0)
#define RCU_ACQUIRE() ((void)0)
#endif

void rcu_join(void)
{
    rcu_register_thread();
}

void rcu_part(void)
{
    RCU_RELEASE();
    rcu_unregister_thread();
}

void rcu_enter(void)
{
    rcu_read_lock();
}

void rcu_leave(void)
{
    RCU_RELEASE();
    rcu_read_unlock();
}

void rcu_wait(void)
{
    RCU_RELEASE();
    synchronize_rcu();
    RCU_ACQUIRE();
}
