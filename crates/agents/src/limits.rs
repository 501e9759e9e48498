//! The bounds of this crate, with the unit last in each name.

/// Longest line of a runner's protocol or journal, in bytes; a longer one is an error of whoever wrote it.
pub(crate) const LINE_BYTES_MAX: usize = 256 * 1024;

/// Longest plan, in bytes: it holds the caller's environment, which the kernel itself bounds near this.
pub(crate) const PLAN_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Time for a new runner to listen, in milliseconds: a loaded machine starts a process in seconds at worst.
pub(crate) const LISTEN_MS_MAX: u64 = 20_000;

/// Final text that stands in the journal itself, in bytes; a longer one gets a file of its own.
pub(crate) const ANSWER_INLINE_BYTES_MAX: usize = 8 * 1024;

/// Files of final texts that a runner keeps; older ones are deleted when a next message shows that they were
/// committed.
pub(crate) const ANSWER_FILES_MAX: usize = 32;

/// Records that wait in memory while the journal cannot be written; beyond it they are dropped and counted.
pub(crate) const RECORDS_WAITING_MAX: usize = 4096;

/// Bytes that wait in memory while the disk is full; a final text beyond it keeps its end alone.
pub(crate) const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// First and longest pause before the journal is tried again, in milliseconds.
pub(crate) const JOURNAL_RETRY_MS_MIN: u64 = 100;
/// See [`JOURNAL_RETRY_MS_MIN`].
pub(crate) const JOURNAL_RETRY_MS_MAX: u64 = 10_000;

/// Size of the output log at which it is turned over, in bytes; two such files are kept.
pub(crate) const LOG_FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Time for the end of a turn's text to show in the terminal after the control pipe has told of the end, in
/// milliseconds.
pub(crate) const END_MARK_MS_MAX: u64 = 2_000;

/// Time between the steps of an interrupt, in milliseconds: SIGINT, SIGTERM, SIGKILL, and last the shell itself.
pub(crate) const INTERRUPT_STEP_MS: u64 = 2_000;

/// Age of a turn at which it is interrupted, in milliseconds; a younger one is first let begin.
pub(crate) const INTERRUPT_SETTLE_MS: u64 = 30;

/// Time between the two looks that an interrupt takes at first, in milliseconds: between two commands of a loop
/// SIGINT may hit neither, and hits the next.
pub(crate) const INTERRUPT_LOOK_MS: u64 = 100;

/// Time in which an interrupt ends a turn without the shell, in milliseconds; then the shell is ended too.
pub(crate) const INTERRUPT_MS_MAX: u64 = 6_000;

/// Time for an interrupted turn to end before the session that is to end is hung up, in milliseconds.
pub(crate) const HANGUP_MS: u64 = 300;

/// Grace for what is left when the shell has ended by itself, in milliseconds, before it is ended by force.
pub(crate) const LEFTOVER_GRACE_MS: u64 = 500;

/// Pause between two looks at processes that were ended by force and are still there, in milliseconds.
pub(crate) const LEFTOVER_LOOK_MS: u64 = 50;

/// Time for the daemon to read the last record before a runner goes away, in milliseconds; the journal keeps it.
pub(crate) const FAREWELL_MS_MAX: u64 = 2_000;

/// First and longest pause before a runner that lives is connected to again, in milliseconds.
pub(crate) const RECONNECT_MS_MIN: u64 = 20;
/// See [`RECONNECT_MS_MIN`].
pub(crate) const RECONNECT_MS_MAX: u64 = 5_000;

/// Time for a runner's first words on a new connection, in milliseconds.
pub(crate) const HELLO_MS_MAX: u64 = 10_000;

/// Messages of which a runner knows that it was given them before; the daemon hands over one at a time.
pub(crate) const GIVEN_KEPT_MAX: usize = 1024;

/// Pause before a runner that could not accept a connection tries again, in milliseconds.
pub(crate) const ACCEPT_RETRY_MS: u64 = 50;

/// Bytes of an order that are passed on at once, and the time for a runner to take them, in milliseconds.
pub(crate) const ORDER_PIECE_BYTES: usize = 64 * 1024;
/// See [`ORDER_PIECE_BYTES`].
pub(crate) const ORDER_PIECE_MS_MAX: u64 = 3_000;

/// Quiet in a turn after which its processes are looked at for one that reads from the terminal, in milliseconds.
pub(crate) const QUIET_MS_MIN: u64 = 250;
/// Longest pause between two such looks, in milliseconds.
pub(crate) const QUIET_MS_MAX: u64 = 30_000;

/// Output that a new viewer of a terminal is shown, in bytes: the recent past of the screen.
pub(crate) const REPLAY_BYTES_MAX: usize = 64 * 1024;

/// Payload of one frame of a terminal's stream, in bytes.
pub(crate) const FRAME_BYTES_MAX: usize = 64 * 1024;

/// Frames that may wait for one viewer; a viewer who takes them slower misses some, and is shown the
/// screen anew.
pub(crate) const VIEWER_FRAMES_MAX: usize = 256;

/// Viewers of one terminal.
pub(crate) const VIEWERS_MAX: usize = 16;

/// Size of a terminal that nobody looks at.
pub(crate) const COLUMNS_DEFAULT: u16 = 200;
/// See [`COLUMNS_DEFAULT`].
pub(crate) const ROWS_DEFAULT: u16 = 50;

/// Time for the user manager of systemd to answer whether it is there, in milliseconds.
pub(crate) const SYSTEMD_PROBE_MS_MAX: u64 = 2_000;

/// Time for a runner whose connection broke to be seen as ended, in milliseconds: its files close just before that.
pub(crate) const RUNNER_EXIT_MS: u64 = 30;

/// Time for a runner to end its session by force, in milliseconds, after the grace; then it is ended by force itself.
pub(crate) const RUNNER_END_MS_MAX: u64 = 5_000;

/// Time for what a dead runner left to be gone, in milliseconds.
pub(crate) const LEFTOVERS_MS_MAX: u64 = 10_000;

/// Grace that a runner gives its session when somebody sends SIGTERM to the runner itself, in milliseconds.
pub(crate) const TERMINATED_GRACE_MS: u64 = 1_500;

/// Looks at processes that were ended by force before their survival is told as it is.
pub(crate) const FORCED_LOOKS_MAX: u32 = 60;

/// Pieces of output that are taken after the end of a turn or of the shell; what comes later comes from something
/// that was left in the background.
pub(crate) const DRAIN_PIECES_MAX: usize = 4096;

/// Longest summary of a request, in characters.
pub(crate) const SUMMARY_CHARS_MAX: usize = 300;

/// Time for a runner that has written its last record to be gone, in milliseconds.
pub(crate) const RUNNER_GONE_MS_MAX: u64 = 3_000;

/// Pause before the next look at processes that are just becoming another program, in milliseconds.
pub(crate) const UNCLEAR_LOOK_MS: u64 = 5;

/// Bytes that may wait to be typed; more are dropped, as a terminal drops them.
pub(crate) const TYPING_BYTES_MAX: usize = 1024 * 1024;

/// Time for bash to leave its prompt, in milliseconds.
pub(crate) const WAKE_MS: u64 = 500;

/// Pause before a viewer who missed output is looked at again, in milliseconds.
pub(crate) const LAGGING_LOOK_MS: u64 = 100;

/// Time for a program to end that is to be handed over, in milliseconds; then it is told, and then it is made to.
pub(crate) const HAND_OVER_MS: u64 = 3_000;

/// Time for the first viewer of a terminal to come that was opened for somebody, in milliseconds.
pub(crate) const VIEWER_MS_MAX: u64 = 10_000;

/// Time for which nobody is at a terminal before that counts, in milliseconds: what was typed last has begun by then.
pub(crate) const UNWATCHED_MS: u64 = 1_000;

/// Time for people at a terminal to come back to a daemon that has just taken over, in milliseconds.
pub(crate) const COME_BACK_MS: u64 = 5_000;

/// Time for which a terminal is a column smaller, so that the program in it sees it and draws its screen anew, in
/// milliseconds.
pub(crate) const NUDGE_MS: u64 = 100;
/// Times for which a terminal stays a little smaller, at the most, until its program has drawn something.
pub(crate) const NUDGE_LOOKS_MAX: u32 = 20;

/// Time for a program that was lent to be ready again, in milliseconds.
pub(crate) const TAKEN_UP_MS_MAX: u64 = 60_000;

/// Entries of a conversation in which the last word is looked for that was said while it was lent.
pub(crate) const ENTRIES_LENT_MAX: usize = 200;

/// Longest line of a program that is held by pipes, in bytes; a longer one is dropped and counted.
pub(crate) const PIPE_LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes that may wait for the standard input of such a program; a line beyond it is refused.
pub(crate) const INPUT_WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of a hook's call that are taken in: a final text may be long.
pub(crate) const HOOK_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Time for tmux to do what it is asked, in milliseconds.
pub(crate) const TMUX_MS_MAX: u64 = 10_000;

/// Time for Claude Code to say whether it is logged in, in milliseconds; then nothing is claimed of it.
pub(crate) const LOGIN_MS_MAX: u64 = 10_000;

/// Pause between two looks for a dialog that holds up a start, in milliseconds.
pub(crate) const DIALOG_LOOK_MS: u64 = 800;

/// Time for a typed message to be confirmed, in milliseconds, and for each of its pieces on top of it.
pub(crate) const CONFIRM_MS_MAX: u64 = 4_000;
/// See [`CONFIRM_MS_MAX`].
pub(crate) const CONFIRM_PIECE_MS: u64 = 10;

/// Pieces of a message that are pasted in one go. What is sent to a terminal is read in its order, so a key waits for so
/// many of them at the most.
pub(crate) const PIECES_AT_ONCE: usize = 16;

/// Pause between two looks whether the agent has read what was pasted, in milliseconds. Nothing tells of that.
pub(crate) const READ_LOOK_MS: u64 = 5;

/// Time in which a message of any length is read by the agent, in milliseconds; beyond it nobody waits for it.
pub(crate) const TYPING_MS_MAX: i64 = 600_000;

/// Time for the transcript to have what a turn has cost, in milliseconds after its end; then it stays untold.
pub(crate) const USAGE_MS_MAX: u64 = 30_000;

/// Time for the transcript to say how a turn ended of which no hook tells, in milliseconds; then it is unknown.
pub(crate) const QUIET_END_MS_MAX: u64 = 5_000;

/// Time for which the status file must say what no hook has told before it counts, in milliseconds.
pub(crate) const SETTLED_MS: u64 = 250;

/// Time for the transcript to say what became of a command, in milliseconds since nothing runs; then it is unknown.
pub(crate) const COMMAND_MS_MAX: u64 = 30_000;

/// The same for work that nobody has announced, in milliseconds: behind an end it may be no more than tidying up.
pub(crate) const UNANNOUNCED_MS: u64 = 2_000;

/// Time for which a dialog must be open before it is told of, in milliseconds: the agent's own closes sooner.
pub(crate) const DIALOG_MS: u64 = 2_000;

/// Time after an answer within which the question may still be drawn, in milliseconds.
pub(crate) const ANSWER_SHOWS_MS: i64 = 5_000;

/// Time for an answer to be read on a busy machine, in milliseconds; the question is on the screen for so long.
pub(crate) const ANSWER_READ_MS_MAX: u64 = 20_000;

/// Time for the key that interrupts to have its effect, in milliseconds; then it is pressed again.
pub(crate) const INTERRUPT_KEY_MS: u64 = 1_500;

/// Times that the key is pressed.
pub(crate) const INTERRUPT_KEYS_MAX: u32 = 4;

/// Looks at the screen after a draft was put aside, until it is seen to be gone.
pub(crate) const DRAFT_LOOKS_MAX: u32 = 20;

/// Looks at the terminal after a suspended agent was brought back, until it reads keys again; they take some seconds.
pub(crate) const WAKE_LOOKS_MAX: u32 = 200;

/// Pause between two such looks, in milliseconds.
pub(crate) const DRAFT_LOOK_MS: u64 = 25;

/// Longest line of a transcript that is read, in bytes; a longer one is left out.
pub(crate) const TRANSCRIPT_LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of one entry of a conversation that are given.
pub(crate) const ENTRY_BYTES_MAX: usize = 1024 * 1024;
