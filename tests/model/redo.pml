// SPDX-License-Identifier: Apache-2.0
/*
 * The redo record: a session's lines, each of which changes a counter, a gauge that is added to, and the session's
 * position, while the process may be killed between any two stores, and while what it left is taken over. The first line
 * makes the counter's series. The client sends again what the position does not cover. README.md says which function
 * each step is.
 *
 * What must hold, besides that the client comes to an end:
 *   after each replay the counter and the position are of the same line;
 *   in the end each line is counted once; the gauge has each at least once, and once more for each kill at most.
 *
 * holds: -DKILLS=2
 * must fail: -DKILLS=1 -DNO_COMMIT       the list is never valid
 * must fail: -DKILLS=1 -DCOMMIT_FIRST    it is valid before it is written
 * must fail: -DKILLS=1 -DNO_CLEAR      it stays valid while the next one is written
 * must fail: -DKILLS=1 -DNO_REPLAY     nobody replays it
 * must fail: -DKILLS=1 -DPERSIST_LATE  the series is persisted after the commit
 */
#define LINES 3

#define COUNTER 0
#define POSITION 1

byte word[2];
byte gauge;
bool persisted;  // the counter's series, with its record and cell
byte list_at[2];
byte list_value[2];
byte committed;
byte kills;
bool done;

inline may_die()
{
	if
	:: kills < KILLS -> atomic { kills++; goto dead }
	:: true
	fi
}

inline write(i, at, v)
{
	list_at[i] = at;
	may_die();
	list_value[i] = v;
	may_die()
}

inline commit()
{
#ifndef NO_COMMIT
	committed = 2;
#endif
	may_die()
}

// The series becomes known to whoever takes over.
inline persist()
{
	if
	:: !persisted -> persisted = true
	:: else
	fi;
	may_die()
}

// One process after another, each of which takes over what the last one left.
active proctype daemon()
{
	byte i, line;

start:
	skip;
#ifndef NO_REPLAY
	// It works on a copy, which becomes the file when it is whole: a kill until then leaves what was there.
	d_step {
		i = 0;
		do
		:: i < committed -> word[list_at[i]] = list_value[i]; i++
		:: else -> break
		od;
		committed = 0;
		i = 0
	};
#endif
	// Series that are not persisted are left out.
	d_step {
		if
		:: !persisted -> word[COUNTER] = 0
		:: else
		fi
	};
	assert(word[COUNTER] == word[POSITION]);
	line = word[POSITION]; // the hello's answer
	do
	:: line < LINES ->
		gauge++;
		may_die();
#ifdef COMMIT_FIRST
		commit();
#endif
		write(0, COUNTER, word[COUNTER] + 1);
		write(1, POSITION, word[POSITION] + 1);
#ifndef PERSIST_LATE
		persist();
#endif
#ifndef COMMIT_FIRST
		commit();
#endif
		word[list_at[0]] = list_value[0];
		may_die();
		word[list_at[1]] = list_value[1];
		may_die();
#ifdef PERSIST_LATE
		persist();
#endif
#ifndef NO_CLEAR
		committed = 0;
		may_die();
#endif
		line++
	:: else -> break
	od;
	assert(word[COUNTER] == LINES && word[POSITION] == LINES);
	assert(gauge >= LINES && gauge <= LINES + kills);
	done = true;
	goto end;
dead:
	goto start;
end:
	skip
}

ltl all_lines_come_through { <> done }
