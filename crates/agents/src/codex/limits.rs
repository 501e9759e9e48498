//! The bounds of this folder, with the unit last in each name.

/// Longest message of the app-server that is taken, in bytes. It sends itself what it can show of one turn in a piece.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Messages that came while an answer was awaited, and wait to be looked at.
pub(super) const EARLY_MESSAGES_MAX: usize = 16 * 1024;

/// Time for the app-server to answer a request, in milliseconds; the slowest takes tens.
pub(super) const ANSWER_MS_MAX: u64 = 20_000;

/// Time for the app-server to introduce itself over a new connection, in milliseconds; it takes five.
pub(super) const OPEN_MS_MAX: u64 = 5_000;

/// Connections in a row over which it does not, after which it hangs, and is ended so that it is started again.
pub(super) const DEAF_OPENINGS_MAX: u32 = 4;

/// Time for the app-server to answer a request of a session that is to end, in milliseconds; then it ends without it.
pub(super) const END_ANSWER_MS_MAX: u64 = 1_500;

/// Time for the app-server to take a message off our hands, in milliseconds.
pub(super) const WRITE_MS_MAX: u64 = 10_000;

/// Time for a new app-server to accept connections, in milliseconds; typical are 60.
pub(super) const LISTEN_MS_MAX: u64 = 20_000;

/// First and longest pause between two attempts to connect, in milliseconds: it says nothing when it begins to listen.
pub(super) const CONNECT_MS_MIN: u64 = 5;
/// See [`CONNECT_MS_MIN`].
pub(super) const CONNECT_MS_MAX: u64 = 1_000;

/// Silence in a running turn after which the app-server is asked whether it is there, in milliseconds.
pub(super) const SILENCE_MS_MAX: u64 = 30_000;

/// First and longest pause before an app-server that crashed is started again, in milliseconds.
pub(super) const RESTART_MS_MIN: u64 = 50;
/// See [`RESTART_MS_MIN`].
pub(super) const RESTART_MS_MAX: u64 = 10_000;

/// Life after which a crash begins a new row of crashes, in milliseconds.
pub(super) const SOUND_LIFE_MS: u64 = 10_000;

/// Crashes in a row after which the app-server is given up.
pub(super) const CRASHES_MAX: u32 = 8;

/// Time for the app-server to end by itself, in milliseconds; then it is told again, and then it is killed.
pub(super) const DRAIN_MS_MAX: u64 = 3_000;
/// Time for the app-server to end when it was told twice, in milliseconds.
pub(super) const DRAIN_AGAIN_MS_MAX: u64 = 2_000;

/// Time for the holder of an app-server to be gone after it was told to end, in milliseconds.
pub(super) const HOLDER_END_MS_MAX: u64 = 10_000;

/// Time for an interrupted turn to end when its session is to end, in milliseconds.
pub(super) const INTERRUPT_MS_MAX: u64 = 5_000;

/// Time for the words of whoever opened a turn to come, in milliseconds; they come 15 ms after its beginning. A turn
/// without any is the agent's own.
pub(super) const ORIGIN_MS_MAX: u64 = 200;

/// Orders that wait for a server which is away, beyond which nobody is promised an answer about a goal.
pub(super) const ORDERS_WAITING_MAX: usize = 256;

/// Turns that are looked at for what happened unseen.
pub(super) const TURNS_LOOKED_AT_MAX: usize = 100;

/// Callers who wait for the end of one goal.
pub(super) const GOAL_WAITERS_MAX: usize = 64;

/// Items of one page of the app-server's lists.
pub(super) const PAGE_ITEMS: usize = 25;

/// Pages of the items of one turn that are looked through for a message.
pub(super) const ITEM_PAGES_MAX: usize = 40;

/// Models of one page of the app-server's list, and pages of it that are looked at.
pub(super) const PAGE_MODELS: usize = 100;
/// See [`PAGE_MODELS`].
pub(super) const MODEL_PAGES_MAX: usize = 10;

/// Queued submissions that are looked at for a message of ours.
pub(super) const QUEUED_LOOKED_AT_MAX: usize = 200;

/// Time between two looks for a message of which the first found nothing, in milliseconds.
pub(super) const SECOND_LOOK_MS: u64 = 300;

/// How long a silent connection is listened to for what a thread has used up, in milliseconds.
pub(super) const TOKENS_AWAITED_MS_MAX: u64 = 300;

/// Items of a running turn whose details are remembered for an approval.
pub(super) const ITEMS_KEPT_MAX: usize = 256;

/// Longest details of a request, in bytes: a diff in it is cut at that.
pub(super) const DETAILS_BYTES_MAX: usize = 64 * 1024;

/// Last words of an app-server that are told, in bytes.
pub(super) const LAST_WORDS_BYTES_MAX: usize = 2_048;

/// Longest configuration file that is looked into, in bytes.
pub(super) const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// Longest environment of an app-server that is looked at, in bytes.
pub(super) const ENVIRONMENT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Time between the rest of a thread and the word of its turn's end, in milliseconds; then the end was missed.
pub(super) const MISSED_END_MS: u64 = 1_000;

/// Time for what was queued to begin, in milliseconds; then the app-server is told to go on.
pub(super) const QUEUED_MS_MAX: u64 = 1_000;

/// Time for reading a conversation, in milliseconds.
pub(super) const CONVERSATION_MS_MAX: u64 = 10_000;

/// Longest text of one entry of a conversation, in bytes.
pub(super) const ENTRY_BYTES_MAX: usize = 256 * 1024;
