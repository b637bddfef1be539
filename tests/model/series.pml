// SPDX-License-Identifier: Apache-2.0
/*
 * The life of the series of one key: found, made, claimed, updated, shown, removed on a condition, and its slot used
 * again after a grace period; beside a scrape. ARCHITECTURE.md says which function each step is.
 *
 * Every statement between two semicolons is one access to memory that others share. Workers deal with one line each, on
 * a slot that is LIVE by a mark of an old life, which the remover takes away. A ttl's second of the last update plays
 * the same part as a mark. The index is a slot or NONE; of two that unlink at once each may be told that the node
 * is gone, and one owns it.
 *
 * What must hold, besides that everybody comes to an end:
 *   who found a slot in its section finds it unchanged until the section ends;
 *   an update that was applied stands in the series that is exposed in the end;
 *   what is exposed is published, and what is not is not, once its remover and its publishers are done;
 *   a walk beside which nothing was removed does not meet the key twice;
 *   places taken are series there are, and no slot is lost.
 *
 * holds: -DWORKERS=2                            of one source
 * holds: -DWORKERS=2 -DTWO_SOURCES
 * holds: -DWORKERS=1 -DSCRAPE
 * must fail: -DWORKERS=2 -DNO_GRACE              slots used again at once
 * must fail: -DWORKERS=1 -DSCRAPE -DNO_GRACE
 * must fail: -DWORKERS=1 -DNO_DYING              removed in one step, without a second look
 * must fail: -DWORKERS=1 -DNO_LOOK               a claimer that does not look at the state
 * must fail: -DWORKERS=2 -DNO_LOOK_WHEN_MARKED   or looks only when the mark is its own
 * must fail: -DWORKERS=1 -DSCRAPE -DNO_PUBLISH   shown without being published
 * must fail: -DWORKERS=2 -DNO_LOOK_AFTER         published without a look at the state afterwards
 * must fail: -DWORKERS=2 -DNO_OWNER              whoever unlinks says so
 * must fail: -DWORKERS=1 -DSCRAPE -DNO_REMOVALS  removals that nobody counts
 */
#define SLOTS 3
#define NONE 9

#define FREE 0
#define READY 1
#define LIVE 2
#define DYING 3
#define DEAD 4
#define UNLINKED 5
#define RETIRED 6

#define OLD 1 // bits of marks

byte state[SLOTS];
byte uses[SLOTS]; // how often the slot was given back
byte marks[SLOTS];
byte value[SLOTS];
bool published[SLOTS];
bool gone[SLOTS]; // the node's two flags in the index
bool owner[SLOTS];
byte found_in_index = NONE;
byte count;     // places taken
byte removals;  // for the scrape alone
byte applied;  // updates, by all
byte inside[4]; // odd: the process stands in a section
byte done;

#define enter(p) inside[p]++
#define leave(p) inside[p]++

inline unlink(s)
{
#if defined(SCRAPE) && !defined(NO_REMOVALS)
	removals++;
#endif
	if
	:: gone[s] -> skip
	:: else ->
		atomic { gone[s] = true; if :: found_in_index == s -> found_in_index = NONE :: else fi }
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

inline publish(s)
{
#ifdef NO_PUBLISH
	skip;
#else
	published[s] = true;
#endif
#ifndef NO_LOOK_AFTER
	if
	:: state[s] == READY || state[s] == LIVE || state[s] == DYING
	:: else -> published[s] = false
	fi
#endif
}

inline expose(s)
{
	if
	:: state[s] == READY ->
		publish(s);
		atomic { if :: state[s] == READY -> state[s] = LIVE :: else fi }
	:: else
	fi
}

inline bury(s)
{
	d_step { published[s] = false; count-- };
	unlink(s)
}

// ok: whether what the index gave may be used.
inline usable(s)
{
	expose(s);
	if
	:: state[s] == LIVE || state[s] == DYING -> ok = true
	:: else -> ok = false; unlink(s)
	fi
}

// A slot that nobody else knows.
inline prepare(s)
{
	atomic {
		if
		:: state[0] == FREE -> s = 0
		:: else ->
			if
			:: state[1] == FREE -> s = 1
			:: else -> assert(state[2] == FREE); s = 2
			fi
		fi;
		state[s] = READY; marks[s] = 0; value[s] = 0; gone[s] = false; owner[s] = false
	}
}

inline release(s)
{
	published[s] = false;
	uses[s]++;
	state[s] = FREE
}

inline place_planned(s)
{
	made = false;
	ok = false;
	do
	:: ok -> break
	:: else ->
		s = found_in_index;
		if
		:: s != NONE -> usable(s)
		:: true -> // not found, or found gone before, and not looked for again
			atomic { count++; prepare(fresh) };
			do
			:: atomic {
				s = found_in_index;
				if :: s == NONE -> found_in_index = fresh; s = fresh; made = true; ok = true; break :: else fi
			   };
			   usable(s);
			   if
			   :: ok -> d_step { count--; release(fresh) }; break
			   :: else
			   fi
			od
		fi
	od;
	at_use = uses[s]
}

// ok: whether the series lives on with the mark.
inline claim(s)
{
	atomic { was = marks[s] & life; marks[s] = marks[s] | life };
	ok = true;
#ifdef NO_LOOK
	was = life;
#define NO_LOOK_WHEN_MARKED
#endif
#ifdef NO_LOOK_WHEN_MARKED
	if
	:: was != 0 -> goto claimed
	:: else
	fi;
#endif
	atomic { state[s] != DYING; ok = (state[s] == READY || state[s] == LIVE) };
claimed:
	was = 0
}

// One line of a source.
proctype worker(byte me; byte life)
{
	byte s, fresh, at_use, was;
	bool made, ok, mine;

	enter(me);
	do
	:: place_planned(s);
	   claim(s);
	   if
	   :: ok -> break
	   :: else
	   fi
	od;
	if
	:: made -> // the line is refused for another reason
		atomic { if :: state[s] == READY -> state[s] = DEAD; mine = true :: else -> mine = false fi };
		if
		:: mine -> bury(s)
		:: else
		fi
	:: true ->
		d_step { assert(uses[s] == at_use); value[s]++; applied++ };
		if
		:: made -> expose(s)
		:: else
		fi
	fi;
	atomic { assert(uses[s] == at_use); leave(me); done++ }
}

// A source's life ended: its mark goes, and with the last one the series.
proctype remover(byte me)
{
	byte s = 0;
	bool mine;

	enter(me);
	assert(uses[s] == 0);
	marks[s] = marks[s] & ~OLD;
	if
	:: marks[s] == 0 ->
#ifdef NO_DYING
		state[s] = DEAD;
		mine = true;
#else
		atomic { if :: state[s] == LIVE -> state[s] = DYING; mine = true :: else -> mine = false fi };
		if
		:: mine ->
			mine = (marks[s] == 0);
#if defined(SCRAPE) && !defined(NO_REMOVALS)
			removals++;
#endif
			if
			:: mine -> state[s] = DEAD
			:: else -> state[s] = LIVE
			fi
		:: else
		fi;
#endif
		if
		:: mine -> bury(s)
		:: else
		fi
	:: else
	fi;
	atomic { leave(me); done++ }
}

// Counts the removals, walks the slots and looks at the count once more.
proctype scrape(byte me)
{
	byte s, seen, before, at_use;

	enter(me);
	before = removals;
	do
	:: s < SLOTS ->
		atomic {
			if
			:: state[s] == LIVE || state[s] == DYING -> assert(published[s]); seen++; at_use = uses[s]
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
	assert(removals != before || seen <= 1);
	atomic { leave(me); done++ }
}

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

	d_step { state[0] = LIVE; published[0] = true; marks[0] = OLD; found_in_index = 0; count = 1 };
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
	d_step {
		do
		:: s < SLOTS ->
			if
			:: state[s] == LIVE -> live++; assert(found_in_index == s && published[s] && value[s] == applied)
			:: else -> assert(state[s] == FREE || state[s] == UNLINKED || state[s] == RETIRED); assert(!published[s])
			fi;
			s++
		:: else -> break
		od;
		assert(live == count && (live == 1 || applied == 0) && (live == 1 || found_in_index == NONE))
	}
}
