// SPDX-License-Identifier: Apache-2.0
/*
 * rcu: grace periods, by liburcu.
 *
 * A thread that follows pointers to series or schemas joins once, and is inside a section (between rcu_enter and rcu_leave)
 * while it holds any. What was unlinked may be used again after rcu_wait, which returns when every section that had begun
 * before has ended.
 *
 * Threads: rcu_join and rcu_part once per thread. Sections nest. rcu_wait never inside one.
 * Source:  M. Desnoyers et al., "User-Level Implementations of Read-Copy Update", 2012; liburcu-memb.
 */
#ifndef VE_BASE_RCU_H
#define VE_BASE_RCU_H

void rcu_join(void);
void rcu_part(void);
void rcu_enter(void);
void rcu_leave(void);
void rcu_wait(void);

#endif
