// SPDX-License-Identifier: Apache-2.0
/*
 * The states of the series of one key: found, made, owned, updated, shown, removed on a condition, and its slot used
 * again after a grace period; beside a scrape. README.md says which function each step is.
 *
 * Every statement between two semicolons is one access to memory that others share. Workers deal with one line each, on
 * a slot that is LIVE by an id of an old lease, which the remover takes away. A ttl's second of the last update plays
 * the same part as an id. The index is a slot or NONE; of two that unlink at once each may be told that the node
 * is gone, and one owns it.
 *
 * With INFO the series are those of an owned info metric: two keys, and each worker's line sets one after the other, the
 * second worker's in the other order. To own such a series is to take the source's id from all others, and those whose last
 * one it was go. A worker that was stale DROPS times adds its owner without that.
 *
 * What must hold, besides that everybody comes to an end:
 *   who found a slot in its section finds it unchanged until the section ends;
 *   an update that was applied stands in the series that is exposed in the end;
 *   what is exposed is persisted, and what is not is not, once its remover and those that persist it are done;
 *   a scrape does not show the key twice, and shows what was exposed when it began, unless that is removed;
 *   places taken are series there are, and no slot is lost;
 *   a line looks for a living series a counted number of times, and finds one;
 *   of the series that lines of one source say of it in an info metric at least one stays.
 *
 * holds: -DWORKERS=2                            of one source
 * holds: -DWORKERS=2 -DTWO_SOURCES
 * holds: -DWORKERS=1 -DSCRAPE
 * holds: -DINFO -DWORKERS=1 -DELEMENTS=3        one line that sets A, B and A
 * holds: -DINFO -DWORKERS=2 -DELEMENTS=1
 * must fail: -DINFO -DWORKERS=1 -DELEMENTS=3 -DOWN_FIRST  a line that looks among what it made itself before the index
 * must fail: -DINFO -DWORKERS=2 -DELEMENTS=1 -DOWN_FIRST
 * must fail: -DINFO -DWORKERS=2 -DELEMENTS=1 -DNO_KEEPS   two lines that drop each other's series for ever
 * must fail: -DINFO -DWORKERS=2 -DELEMENTS=1 -DNO_END      a walk that goes on to what is made meanwhile
 * must fail: -DWORKERS=2 -DNO_GRACE              slots used again at once
 * must fail: -DWORKERS=1 -DSCRAPE -DNO_GRACE
 * must fail: -DWORKERS=1 -DNO_DYING              removed in one step, without a second look
 * must fail: -DWORKERS=1 -DNO_LOOK               a line that does not look at the state
 * must fail: -DWORKERS=2 -DNO_LOOK_WHEN_FOUND   or looks only when the id is its own
 * must fail: -DWORKERS=1 -DSCRAPE -DNO_PERSIST   published without being persisted
 * must fail: -DWORKERS=2 -DNO_LOOK_AFTER         persisted without a look at the state afterwards
 * must fail: -DWORKERS=2 -DNO_OWNER              whoever unlinks says so
 * must fail: -DWORKERS=1 -DSCRAPE -DNO_SINCE     a scrape that shows what was made after it began
 * must fail: -DWORKERS=1 -DSCRAPE -DSINCE_MADE   or takes the time of making for that of showing
 */
#ifdef INFO
#define SLOTS 6
#define KEYS 2
#else
#define SLOTS 3
#define KEYS 1
#endif
#define NONE 9

#define DROPS 1 // tries in which a line drops its source's other info series
#define TRIES 3 // as many as it can need with two workers

#define FREE 0
#define READY 1
#define LIVE 2
#define DYING 3
#define DEAD 4
#define UNLINKED 5
#define RETIRED 6

#define OLD 1 // bits of ids

byte state[SLOTS];
byte uses[SLOTS]; // how often the slot was given back
byte ids[SLOTS];
byte value[SLOTS];
bool persisted[SLOTS];
bool gone[SLOTS]; // the node's two flags in the index
bool owner[SLOTS];
#ifdef INFO
byte maker[SLOTS];
byte key[SLOTS];
byte slots_used;
#define key_of(s) key[s]
#define is_own(s) (maker[s] == me)
#else
#define key_of(s) 0
#define is_own(s) made // of the one element that a line has
#endif
byte found_in_index[KEYS];
byte count;     // places taken
#ifdef SCRAPE
byte scrapes;      // that have begun
byte since[SLOTS]; // 0: not shown
byte removals;     // for what must hold
#define removed() removals++
#else
#define removed() skip
#endif
byte applied;  // updates, by all
byte inside[4]; // odd: the process stands in a section
byte done;

#define enter(p) inside[p]++
#define leave(p) inside[p]++

inline unlink(s)
{
	if
	:: gone[s] -> skip
	:: else ->
		atomic { gone[s] = true; if :: found_in_index[key_of(s)] == s -> found_in_index[key_of(s)] = NONE :: else fi }
		atomic {
			if
			:: !owner[s] -> owner[s] = true; mine = true
			:: else -> mine = false
			fi
		}
#ifdef NO_OWNER
		mine = true;
#endif
		if
		:: mine ->
			atomic { assert(state[s] == DEAD); state[s] = UNLINKED }
		:: else
		fi
	fi;
	mine = false
}

inline persist(s)
{
#ifdef NO_PERSIST
	skip;
#else
	persisted[s] = true;
#endif
#ifndef NO_LOOK_AFTER
	if
	:: state[s] == READY || state[s] == LIVE || state[s] == DYING
	:: else -> persisted[s] = false
	fi
#endif
}

inline publish(s)
{
	if
	:: state[s] == READY ->
		persist(s);
#if defined(SCRAPE) && !defined(SINCE_MADE)
		was = scrapes + 1;
		atomic { if :: since[s] == 0 -> since[s] = was :: else fi };
#endif
		atomic { if :: state[s] == READY -> state[s] = LIVE :: else fi }
	:: else
	fi
}

inline complete_removal(s)
{
	d_step { persisted[s] = false; count-- };
	unlink(s)
}

// ok: whether what the index gave is alive.
inline is_usable(s)
{
	if
	:: state[s] == READY || state[s] == LIVE || state[s] == DYING -> ok = true
	:: else -> ok = false; unlink(s)
	fi
}

// A slot that nobody else knows.
inline prepare(s, k)
{
	atomic {
		s = 0;
		do
		:: state[s] == FREE -> break
		:: else -> s++; assert(s < SLOTS)
		od;
#ifdef INFO
		if :: s >= slots_used -> slots_used = s + 1 :: else fi;
		key[s] = k; maker[s] = me;
#endif
#ifdef SCRAPE
		since[s] = 0;
#ifdef SINCE_MADE
		since[s] = scrapes + 1;
#endif
#endif
		state[s] = READY; ids[s] = 0; value[s] = 0; gone[s] = false; owner[s] = false
	}
}

inline release(s)
{
	persisted[s] = false;
	uses[s]++;
	state[s] = FREE
}

inline place_update(s, k)
{
	made = false;
	ok = false;
	do
	:: ok -> break
	:: else ->
		s = found_in_index[k];
		if
		:: s != NONE -> is_usable(s)
		:: true -> // not found, or found gone before, and not looked for again
			atomic { count++; prepare(fresh, k) };
			do
			:: atomic {
				s = found_in_index[k];
				if :: s == NONE -> found_in_index[k] = fresh; s = fresh; fresh = 0; made = true; ok = true; break :: else fi
			   };
			   is_usable(s);
			   if
			   :: ok ->
				// Its slot waits as any other, since walks see it. Where there are none it is given back at once,
				// so that there are fewer states.
#if defined(SCRAPE) || defined(INFO)
				d_step { count--; gone[fresh] = true; owner[fresh] = true; state[fresh] = UNLINKED };
#else
				d_step { count--; release(fresh); fresh = 0 };
#endif
				break
			   :: else
			   fi
			od
		fi
	od
}

// ok: whether the series lives on with the id.
inline owner_add(s)
{
	if
	:: !is_own(s) -> publish(s) // now its maker cannot take it back
	:: else
	fi;
	atomic { was = ids[s] & lease; ids[s] = ids[s] | lease };
	ok = true;
#ifdef NO_LOOK
	was = lease;
#define NO_LOOK_WHEN_FOUND
#endif
#ifdef NO_LOOK_WHEN_FOUND
	if
	:: was != 0 -> goto added
	:: else
	fi;
#endif
	atomic { state[s] != DYING; ok = (state[s] == READY || state[s] == LIVE) };
added:
	skip
}

// One line of a source.
proctype worker(byte me; byte lease)
{
	byte s, fresh, at_use, was;
	bool made, ok, mine;

	enter(me);
	do
	:: place_update(s, 0);
	   at_use = uses[s];
	   owner_add(s);
	   if
	   :: ok -> break
	   :: else
	   fi
	od;
	if
	:: made -> // the line is refused for another reason
		atomic { if :: state[s] == READY -> state[s] = DEAD; mine = true :: else -> mine = false fi };
		if
		:: mine -> complete_removal(s)
		:: else
		fi
	:: true ->
		d_step { assert(uses[s] == at_use); value[s]++; applied++ };
		if
		:: made -> publish(s)
		:: else
		fi
	fi;
	atomic { assert(uses[s] == at_use); leave(me); done++ }
}

#ifdef INFO
#define LEASE 2

inline undo(s)
{
	atomic { if :: state[s] == READY -> state[s] = DEAD; mine = true :: else -> mine = false fi };
	if
	:: mine -> complete_removal(s)
	:: else
	fi
}

inline remove_unowned(s)
{
	if
	:: ids[s] == 0 ->
		atomic { if :: state[s] == LIVE -> state[s] = DYING; mine = true :: else -> mine = false fi };
		if
		:: mine ->
			mine = (ids[s] == 0);
			if
			:: mine -> state[s] = DEAD
			:: else -> state[s] = LIVE
			fi
		:: else
		fi;
		if
		:: mine -> complete_removal(s)
		:: else
		fi
	:: else
	fi
}

inline drop_others(s)
{
	o = 0;
	end = slots_used;
	do
#ifdef NO_END
	:: o < slots_used ->
#else
	:: o < end ->
#endif
		if
		:: o != s && (state[o] == READY || state[o] == LIVE || state[o] == DYING) && (ids[o] & LEASE) != 0 ->
			ids[o] = ids[o] & ~LEASE;
			if
			:: maker[o] == me -> undo(o)
			:: else
			fi;
			publish(o);
			remove_unowned(o)
		:: else
		fi;
		o++
	:: else -> o = 0; break
	od
}

// A line of one source, of ELEMENTS elements. All are placed, then all are owned.
proctype setter(byte me)
{
	byte s, fresh, o, end, i, was, tries;
	byte slots[ELEMENTS];
	bool made, ok, mine;
	bool own[ELEMENTS];
	byte lease = LEASE;

	enter(me);
	do
	:: i < ELEMENTS -> place_update(s, (me + i) % 2); slots[i] = s; own[i] = made; i++
	:: else -> i = 0; break
	od;
	if
	:: true -> // the line is refused for another reason
		do
		:: i < ELEMENTS ->
			if
			:: own[i] -> undo(slots[i])
			:: else
			fi;
			i++
		:: else -> break
		od;
		goto over
	:: true
	fi;
	do
	:: i < ELEMENTS ->
		tries = 0;
		do
		:: s = slots[i];
		   assert(tries < TRIES);
		   tries++;
		   owner_add(s);
		   if
		   :: ok && was == 0 ->
#ifndef NO_KEEPS
			if
			:: tries <= DROPS -> drop_others(s)
			:: else
			fi;
#else
			drop_others(s);
#endif
			ok = ((ids[s] & LEASE) != 0);
			if
			:: ok -> atomic { state[s] != DYING; ok = (state[s] == READY || state[s] == LIVE) }
			:: else
			fi
		   :: else
		   fi;
		   was = 0;
		   if
		   :: ok -> break
		   :: else ->
#ifdef OWN_FIRST
			if
			:: maker[s] == me -> skip
			:: else -> place_update(s, (me + i) % 2); slots[i] = s; own[i] = own[i] | made
			fi
#else
			place_update(s, (me + i) % 2); slots[i] = s; own[i] = own[i] | made
#endif
		   fi
		od;
		i++
	:: else -> i = 0; break
	od;
	applied++;
	do
	:: i < ELEMENTS ->
		if
		:: own[i] -> publish(slots[i])
		:: else
		fi;
		i++
	:: else -> break
	od;
over:
	atomic { leave(me); done++ }
}
#endif

// A source's lease ended: its id goes, and with the last one the series.
proctype remover(byte me)
{
	byte s = 0;
	bool mine;

	enter(me);
	assert(uses[s] == 0);
	ids[s] = ids[s] & ~OLD;
	if
	:: ids[s] == 0 ->
#ifdef NO_DYING
		state[s] = DEAD;
		mine = true;
#else
		atomic { if :: state[s] == LIVE -> state[s] = DYING; mine = true :: else -> mine = false fi };
		if
		:: mine ->
			mine = (ids[s] == 0);
			if
			:: mine -> atomic { state[s] = DEAD; removed() }
			:: else -> state[s] = LIVE
			fi
		:: else
		fi;
#endif
		if
		:: mine -> complete_removal(s)
		:: else
		fi
	:: else
	fi;
	atomic { leave(me); done++ }
}

#ifdef SCRAPE
// Walks the slots.
proctype scrape(byte me)
{
	byte s, seen, before, at_use, now, wanted;

	enter(me);
	atomic {
		scrapes++;
		now = scrapes;
#ifdef NO_SINCE
		now = NONE;
#endif
		before = removals;
		do
		:: s < SLOTS -> if :: state[s] == LIVE || state[s] == DYING -> wanted++ :: else fi; s++
		:: else -> s = 0; break
		od
	};
	do
	:: s < SLOTS ->
		atomic {
			if
			:: (state[s] == LIVE || state[s] == DYING) && since[s] <= now -> assert(persisted[s]); seen++; at_use = uses[s]
			:: else -> at_use = NONE
			fi
		};
		if
		:: at_use != NONE -> assert(uses[s] == at_use) // its text and numbers are read
		:: else
		fi;
		s++
	:: else -> break
	od;
	assert(seen <= 1 && (removals != before || seen >= wanted));
	atomic { leave(me); done++ }
}
#endif

// The main thread's tick: what is unlinked goes back after a grace period.
proctype reclaim()
{
	byte p, s;
	byte was[4];
	bool any;

	do
	:: s < SLOTS -> d_step { if :: state[s] == UNLINKED -> state[s] = RETIRED; any = true :: else fi; s++ }
	:: else -> s = 0; break
	od;
	if
	:: any ->
#ifndef NO_GRACE
		d_step { was[0] = inside[0]; was[1] = inside[1]; was[2] = inside[2]; was[3] = inside[3] };
		do
		:: p < 4 -> atomic { was[p] % 2 == 0 || inside[p] != was[p]; p++ }
		:: else -> break
		od;
#endif
		do
		:: s < SLOTS -> d_step { if :: state[s] == RETIRED -> release(s) :: else fi; s++ }
		:: else -> break
		od
	:: else
	fi
}

init
{
	byte s, live;

#ifdef INFO
	d_step { found_in_index[0] = NONE; found_in_index[1] = NONE };
	atomic {
		run setter(0);
#if WORKERS == 2
		run setter(1)
#else
		done++
#endif
	};
	done == 2;
#else
	d_step { state[0] = LIVE; persisted[0] = true; ids[0] = OLD; found_in_index[0] = 0; count = 1 };
#ifdef SCRAPE
	since[0] = 1;
#endif
	atomic {
		run worker(0, 2);
#if WORKERS == 2 && defined(TWO_SOURCES)
		run worker(1, 4);
#elif WORKERS == 2
		run worker(1, 2);
#else
		done++;
#endif
		run remover(2);
#ifdef SCRAPE
		run scrape(3);
#else
		done++;
#endif
		run reclaim()
	};
	done == 4;
#endif
	d_step {
		do
		:: s < SLOTS ->
			if
#ifdef INFO
			:: state[s] == LIVE -> live++; assert(found_in_index[key_of(s)] == s && persisted[s] && ids[s] != 0)
#else
			:: state[s] == LIVE -> live++; assert(found_in_index[0] == s && persisted[s] && value[s] == applied)
#endif
			:: else -> assert(state[s] == FREE || state[s] == UNLINKED || state[s] == RETIRED); assert(!persisted[s])
			fi;
			s++
		:: else -> break
		od;
#ifdef INFO
		assert(live == count && (live > 0 || applied == 0))
#else
		assert(live == count && (live == 1 || applied == 0) && (live == 1 || found_in_index[0] == NONE))
#endif
	}
}
