// SPDX-License-Identifier: Apache-2.0
/*
 * The patterns of docs/decisions/19-memory-orders.md on a processor that keeps no order but what C11 promises: a load may give
 * any value that a word had, from the newest one on that its thread knows of. A thread knows what it stored and what it
 * loaded; with an acquire also what the thread that stored the value knew at its release. What is seq_cst (SC) knows
 * besides what earlier such operations on the word were about, and a fence of that order all that earlier ones knew.
 * Stores take effect in the order of the program: where a relaxed store may overtake a load before it, the model has both
 * orders. Words that are not atomic in the program are relaxed here, and must give what was meant.
 *
 * holds: -DPUBLISH                         memory, then its address; a sum, then its bucket
 * holds: -DDECIDE                          state and owners of a series
 * holds: -DNUMBER                          a scrape's number, and a series that is removed and made again
 * holds: -DSYNC                            a line, its sync, and a scrape after the answer
 * holds: -DSEQUENCE                        exemplars, of two writers
 * holds: -DRING                            rejected lines
 * holds: -DHANDED                          connections that are handed over, pieces given back
 * holds: -DSTACK                           free slots of a table
 * must fail: -DPUBLISH -DRELEASE=RELAXED
 * must fail: -DPUBLISH -DACQUIRE=RELAXED
 * must fail: -DDECIDE -DSC_STORE=BOTH
 * must fail: -DDECIDE -DSC_LOAD=ACQUIRE    as idset_has would with acquire
 * must fail: -DNUMBER -DSC_STORE=BOTH
 * must fail: -DNUMBER -DNO_FENCE            of table_scrape
 * must fail: -DSYNC -DNO_FENCE             of connection.c
 * must fail: -DSYNC -DNO_OTHER_FENCE       of table_scrape
 * must fail: -DSEQUENCE -DRELEASE=RELAXED
 * must fail: -DSEQUENCE -DACQUIRE=RELAXED
 * must fail: -DSEQUENCE -DNO_FENCE         after the odd number
 * must fail: -DSEQUENCE -DNO_OTHER_FENCE   before the second look
 * must fail: -DRING -DRELEASE=RELAXED
 * must fail: -DRING -DACQUIRE=RELAXED
 * must fail: -DRING -DOVERTAKES            a place that is given back without a release
 * must fail: -DHANDED -DRELEASE=RELAXED
 * must fail: -DHANDED -DACQUIRE=RELAXED
 * must fail: -DSTACK -DRELEASE=RELAXED
 * must fail: -DSTACK -DACQUIRE=RELAXED
 * must fail: -DSTACK -DNO_COUNT            a head that came back
 */
#define TAKES 1 // bits of an order
#define GIVES 2
#define STRONG 4
#define RELAXED 0
#define BOTH 3
#ifndef ACQUIRE
#define ACQUIRE TAKES
#endif
#ifndef RELEASE
#define RELEASE GIVES
#endif
#define SC 7
#ifndef SC_STORE
#define SC_STORE SC
#endif
#ifndef SC_LOAD
#define SC_LOAD SC
#endif

#define WORDS 4
#define THREADS 3
#define LENGTH 8 // values of a word

// What a thread knows, and what a value tells: of each word the number of a value.
typedef knowledge { byte at[WORDS] };
typedef word { byte value[LENGTH]; knowledge told[LENGTH]; byte newest };

word memory[WORDS];
knowledge known[THREADS];
knowledge met[THREADS];      // by relaxed loads: an acquire fence makes it known
knowledge released[THREADS]; // by the last release fence
knowledge strong;            // to what is seq_cst
byte done;

#define learn(to, from) \
	x = 0; \
	do \
	:: x < WORDS -> if :: from.at[x] > to.at[x] -> to.at[x] = from.at[x] :: else fi; x++ \
	:: else -> x = 0; break \
	od

#define LOCAL byte m, x, got, won

inline put(w, v, order)
{
	m = memory[w].newest + 1;
	assert(m < LENGTH);
	memory[w].newest = m;
	memory[w].value[m] = v;
	known[me].at[w] = m;
	if
	:: order & GIVES -> learn(memory[w].told[m], known[me])
	:: else -> learn(memory[w].told[m], released[me])
	fi;
	if
	:: memory[w].told[m].at[w] < m -> memory[w].told[m].at[w] = m
	:: else
	fi;
	if
	:: order & STRONG -> strong.at[w] = m
	:: else
	fi
}

inline take(w, order)
{
	got = memory[w].value[m];
	known[me].at[w] = m;
	if
	:: order & TAKES -> learn(known[me], memory[w].told[m])
	:: else -> learn(met[me], memory[w].told[m])
	fi;
	if
	:: (order & STRONG) && strong.at[w] < m -> strong.at[w] = m
	:: else
	fi;
	m = 0
}

inline store(w, v, order)
{
	d_step { put(w, v, order); m = 0 }
}

// got: the value.
inline load(w, order)
{
	atomic {
		m = known[me].at[w];
		if
		:: (order & STRONG) && strong.at[w] > m -> m = strong.at[w]
		:: else
		fi;
		do
		:: m < memory[w].newest -> m++
		:: break
		od;
		take(w, order)
	}
}

// got: the value before, which is the newest. What that told, this one tells too.
inline exchange(w, v, order)
{
	atomic {
		m = memory[w].newest;
		take(w, order);
		put(w, v, order);
		learn(memory[w].told[m], memory[w].told[m - 1]);
		m = 0
	}
}

// won: whether the value was `was`; otherwise got may be any that a load gives.
inline compare_exchange(w, was, v, order)
{
	atomic {
		if
		:: memory[w].value[memory[w].newest] == was -> exchange(w, v, order); won = 1
		:: else -> load(w, (order & (TAKES | STRONG))); won = 0
		fi
	}
}

inline fence(order)
{
	d_step {
		if
		:: order & TAKES -> learn(known[me], met[me])
		:: else
		fi;
		if
		:: order & STRONG -> learn(known[me], strong); learn(strong, known[me])
		:: else
		fi;
		if
		:: order & GIVES -> learn(released[me], known[me])
		:: else
		fi
	}
}

#if defined(PUBLISH)
#define DATA 0
#define ADDRESS 1
proctype one(byte me)
{
	LOCAL;
	store(DATA, 1, RELAXED);
	store(ADDRESS, 1, RELEASE);
	store(DATA, 2, RELAXED); // of a bucket: the next observation
	store(ADDRESS, 2, RELEASE);
	done++
}
proctype two(byte me)
{
	LOCAL;
	byte seen;
	load(ADDRESS, ACQUIRE);
	seen = got;
	load(DATA, RELAXED);
	assert(got >= seen);
	done++
}
#elif defined(DECIDE)
// A worker adds its source and looks at the state; a remover says DYING and looks at the owners.
#define OWNERS 0
#define DYING 1
byte lives, goes;
proctype one(byte me)
{
	LOCAL;
	exchange(OWNERS, 1, SC_STORE);
	load(DYING, SC_LOAD);
	lives = (got == 0);
	done++
}
proctype two(byte me)
{
	LOCAL;
	exchange(DYING, 1, SC_STORE);
	load(OWNERS, SC_LOAD);
	goes = (got == 0);
	assert(!(lives && goes));
	done++
}
#define AFTER assert(!(lives && goes))
#elif defined(NUMBER)
// A scrape that shows a series which is then removed does not show the one that takes its place: that has a later number.
#define SCRAPES 0
#define STATE 1 // of the first series: 1 DEAD
byte second = 0, shown;
proctype one(byte me)
{
	LOCAL;
	exchange(STATE, 1, SC_STORE);
	load(SCRAPES, SC_LOAD);
	second = got + 1; // since
	done++
}
proctype two(byte me)
{
	LOCAL;
	exchange(SCRAPES, 1, SC_STORE);
#ifndef NO_FENCE
	fence(SC);
#endif
	load(STATE, ACQUIRE);
	shown = (got == 0);
	done++
}
#define AFTER assert(!(shown && second <= 1))
#elif defined(SYNC)
#define LANE 0
#define ANSWER 1 // and the scrape that the client asks for then: an order of processes, not of this memory
proctype one(byte me)
{
	LOCAL;
	store(LANE, 1, RELAXED);
#ifndef NO_FENCE
	fence(SC);
#endif
	store(ANSWER, 1, RELAXED);
	done++
}
proctype two(byte me)
{
	LOCAL;
	byte asked;
	load(ANSWER, RELAXED);
	asked = got;
#ifndef NO_OTHER_FENCE
	fence(SC);
#endif
	load(LANE, RELAXED);
	assert(!asked || got == 1);
	done++
}
#elif defined(SEQUENCE)
#define NUMBER_OF 0
#define VALUE 1
#define TIME 2
inline write(v)
{
	load(NUMBER_OF, RELAXED);
	n = got;
	if
	:: n % 2 == 0 ->
		compare_exchange(NUMBER_OF, n, n + 1, SC);
		if
		:: won ->
#ifndef NO_FENCE
			fence(GIVES);
#endif
			store(VALUE, v, RELAXED);
			store(TIME, v, RELAXED);
			store(NUMBER_OF, n + 2, RELEASE)
		:: else
		fi
	:: else
	fi
}
proctype one(byte me)
{
	LOCAL;
	byte n;
	write(1);
	done++
}
proctype three(byte me)
{
	LOCAL;
	byte n;
	write(2);
	done++
}
proctype two(byte me)
{
	LOCAL;
	byte n, v, t;
	load(NUMBER_OF, ACQUIRE);
	n = got;
	load(VALUE, RELAXED);
	v = got;
	load(TIME, RELAXED);
	t = got;
#ifndef NO_OTHER_FENCE
	fence(TAKES);
#endif
	load(NUMBER_OF, RELAXED);
	assert(n % 2 != 0 || got != n || v == t);
	done++
}
#elif defined(RING)
// A ring of one place.
#define PLACE 0
#define WRITTEN 1
#define TAKEN 2
proctype one(byte me)
{
	LOCAL;
	byte n;
	do
	:: n < 2 ->
		load(TAKEN, ACQUIRE);
		if
		:: got == n -> n++; store(PLACE, n, RELAXED); store(WRITTEN, n, RELEASE)
		:: else -> break // it is full: the line is counted only
		fi
	:: else -> break
	od;
	done++
}
proctype two(byte me)
{
	LOCAL;
	byte n;
	do
	:: n < 2 ->
		load(WRITTEN, ACQUIRE);
		if
		:: got == n -> break
		:: else ->
			n++;
#ifdef OVERTAKES
			if
			:: true -> store(TAKEN, n, RELAXED); load(PLACE, RELAXED)
			:: true -> load(PLACE, RELAXED); store(TAKEN, n, RELAXED)
			fi;
			assert(got == n)
#else
			load(PLACE, RELAXED);
			assert(got == n);
			store(TAKEN, n, RELEASE)
#endif
		fi
	:: else -> break
	od;
	done++
}
#elif defined(HANDED)
// Two threads put one each into a list, whose owner takes all at once.
#define LIST 0
#define FIRST 1  // what the thread of this number put in, at the word 1 + number
inline put_in(bit_of)
{
	store(FIRST + me, 1, RELAXED);
	load(LIST, RELAXED);
	won = 0;
	do
	:: won -> break
	:: else -> before = got; compare_exchange(LIST, before, before | bit_of, RELEASE)
	od
}
proctype one(byte me)
{
	LOCAL;
	byte before;
	put_in(1);
	done++
}
proctype three(byte me)
{
	LOCAL;
	byte before;
	put_in(4);
	done++
}
proctype two(byte me)
{
	LOCAL;
	byte list;
	exchange(LIST, 0, ACQUIRE);
	list = got;
	if
	:: list & 1 -> load(FIRST, RELAXED); assert(got == 1)
	:: else
	fi;
	if
	:: list & 4 -> load(FIRST + 2, RELAXED); assert(got == 1)
	:: else
	fi;
	done++
}
#elif defined(STACK)
// Two slots, 1 over 2, and a count in the head's upper half. One thread takes two and gives the first back; the other takes two.
#define HEAD 0
#define NEXT 0 // of slot i: the word NEXT + i
byte has[3];
#define slot_of(head) ((head) % 8)
#ifdef NO_COUNT
#define headed(head, slot) (slot)
#else
#define headed(head, slot) (((head) / 8 + 1) * 8 + (slot))
#endif
inline pop(slot)
{
	load(HEAD, ACQUIRE);
	won = 0;
	do
	:: won || slot_of(got) == 0 -> break
	:: else ->
		head = got;
		load(NEXT + slot_of(head), RELAXED);
		next = got;
		compare_exchange(HEAD, head, headed(head, next), ACQUIRE)
	od;
	slot = (won -> slot_of(head) : 0);
	d_step {
		has[slot]++;
		assert(slot == 0 || has[slot] == 1) // nobody else has it
	}
}
inline give(slot)
{
	has[slot]--;
	load(HEAD, RELAXED);
	won = 0;
	do
	:: won -> break
	:: else ->
		head = got;
		store(NEXT + slot, slot_of(head), RELAXED);
		compare_exchange(HEAD, head, headed(head, slot), RELEASE)
	od
}
proctype one(byte me)
{
	LOCAL;
	byte head, next, a, b;
	pop(a);
	pop(b);
	if
	:: a != 0 -> give(a)
	:: else
	fi;
	done++
}
proctype two(byte me)
{
	LOCAL;
	byte head, next, a;
	pop(a);
	pop(a);
	done++
}
#endif

#if defined(SEQUENCE) || defined(HANDED)
#define ALL 3
#else
#define ALL 2
#endif

init
{
	atomic {
#ifdef STACK
		memory[HEAD].value[0] = 1;
		memory[NEXT + 1].value[0] = 2;
#endif
		run one(0);
		run two(1);
#if ALL == 3
		run three(2)
#endif
	};
	done == ALL;
#ifdef AFTER
	AFTER
#endif
}
