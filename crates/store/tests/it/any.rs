//! Anything the core's types can hold.

use adjutant_core::agent::{
    AgentName, AnswerSize, Evidence, Mode, NewRequest, Question, QuestionOption, RequestEnd, RequestKind, SessionEnd,
    Source, StartFailure, TurnEnd, TurnOrigin, Usage,
};
use adjutant_core::event::{Event, Place};
use adjutant_core::id::{Attempt, MessageId, RequestId, SessionId, TokenId, TurnNumber};
use adjutant_core::message::{
    After, Came, Dependency, DependencyState, Message, MessageEnd, MessageKind, MessageState, Sender, Settlement,
    TurnResult, Undeliverable, Way,
};
use adjutant_core::name::SessionName;
use adjutant_core::outcome::{ExitStatus, FailReason, Outcome, UnknownReason};
use adjutant_core::process::Incarnation;
use adjutant_core::request::Request;
use adjutant_core::session::{
    Basis, Goal, Hold, MadeWorktree, Phase, Policy, Processes, Profile, Resume, Session, Stopping, Work, Worktree,
};
use adjutant_core::time::{BootId, BootMoment, Due, Timestamp};
use adjutant_core::turn::{EndedTurn, RunningTurn};
use adjutant_core::wait::{Fallen, Waiting};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

/// All variants of an enum without data; one that is missing breaks the build.
macro_rules! all_of {
    ($Type:ident: $($Variant:ident),*) => {{
        const _: fn($Type) = |value| match value { $($Type::$Variant => {})* };
        proptest::sample::select(vec![$($Type::$Variant),*])
    }};
}

/// Breaks the build when an enum gets a variant that the strategies below do not make.
macro_rules! made_below {
    ($($Type:ident: $($Variant:ident),*;)*) => {
        $(const _: fn(&$Type) = |value| match value { $($Type::$Variant { .. } => {})* };)*
    };
}

made_below! {
    Due: At, Elapsed;
    ExitStatus: Code, Signal;
    UnknownReason: Reattaching, RunnerUnreachable, JournalUnreadable, HandoverUnproven, EndUnseen;
    Outcome: Completed, Failed, Interrupted, Exited, Unknown;
    StartFailure: AgentNotFound, AgentStartFailed, AuthRequired, TrustRequired, NotReady, Withdrawn;
    SessionEnd: Ended, Killed, Lost, StartFailed;
    TurnOrigin: Message, Person, Agent;
    Undeliverable: SessionExited, NeverTaken;
    MessageEnd: Settled, Undeliverable, Cancelled, Expired, Unknown;
    MessageState: Delayed, Ready, Delivering, Running, Ended;
    Sender: Human, Session, Token, Host;
    DependencyState: Open, Settled, Unmet;
    Settlement: Turn, Fallen, Idle, Exited;
    Phase: Starting, Live, Unseen, Exited;
    Work: Idle, Turn;
    Place: First, After;
}

/// Numbers that SQLite can hold too, since the ids stand in columns.
pub(crate) fn number() -> impl Strategy<Value = u64> + Clone {
    prop_oneof![1..1_000_u64, Just(i64::MAX as u64 - 1), 1..i64::MAX as u64]
}

/// Texts as people, agents and accidents make them.
pub(crate) fn text() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        Just(String::new()),
        any::<String>(),
        Just("\u{0}\u{1b}[31m\r\n\t\"\\'; DROP TABLE events; -- \u{fffd}\u{10ffff}".to_owned()),
    ]
}

pub(crate) fn at() -> impl Strategy<Value = Timestamp> + Clone {
    any::<i64>().prop_map(Timestamp::from_millis)
}

pub(crate) fn session_id() -> impl Strategy<Value = SessionId> + Clone {
    any::<[u8; 16]>().prop_map(SessionId::from_bytes)
}

fn token_id() -> impl Strategy<Value = TokenId> + Clone {
    any::<u64>().prop_map(TokenId::new)
}

pub(crate) fn message_id() -> impl Strategy<Value = MessageId> + Clone {
    number().prop_map(MessageId::new)
}

pub(crate) fn request_id() -> impl Strategy<Value = RequestId> + Clone {
    number().prop_map(RequestId::new)
}

pub(crate) fn turn_number() -> impl Strategy<Value = TurnNumber> + Clone {
    any::<u32>().prop_map(TurnNumber::new)
}

fn attempt() -> impl Strategy<Value = Attempt> + Clone {
    any::<u32>().prop_map(Attempt::new)
}

fn boot() -> impl Strategy<Value = BootId> + Clone {
    any::<[u8; 16]>().prop_map(BootId)
}

fn due() -> BoxedStrategy<Due> {
    let elapsed = (boot(), any::<u64>(), at())
        .prop_map(|(boot, millis, wall)| Due::Elapsed { boot: BootMoment { boot, millis }, wall });
    prop_oneof![at().prop_map(Due::At), elapsed].boxed()
}

fn incarnation() -> impl Strategy<Value = Incarnation> + Clone {
    (boot(), any::<u32>(), any::<u64>()).prop_map(|(boot, pid, start_ticks)| Incarnation { boot, pid, start_ticks })
}

pub(crate) fn exit() -> impl Strategy<Value = ExitStatus> + Clone {
    prop_oneof![any::<i32>().prop_map(ExitStatus::Code), any::<i32>().prop_map(ExitStatus::Signal)]
}

fn fail_reason() -> impl Strategy<Value = FailReason> + Clone {
    all_of!(FailReason: ApiError, RateLimited, Auth, ContextFull, Refused, CommandFailed, AgentError)
}

fn unknown_reason() -> BoxedStrategy<UnknownReason> {
    prop_oneof![
        Just(UnknownReason::Reattaching),
        text().prop_map(|detail| UnknownReason::RunnerUnreachable { detail }),
        text().prop_map(|detail| UnknownReason::JournalUnreadable { detail }),
        text().prop_map(|detail| UnknownReason::HandoverUnproven { detail }),
        text().prop_map(|detail| UnknownReason::EndUnseen { detail }),
    ]
    .boxed()
}

pub(crate) fn outcome() -> BoxedStrategy<Outcome> {
    prop_oneof![
        Just(Outcome::Completed),
        fail_reason().prop_map(|reason| Outcome::Failed { reason }),
        Just(Outcome::Interrupted),
        Just(Outcome::Exited),
        unknown_reason().prop_map(|why| Outcome::Unknown { why }),
    ]
    .boxed()
}

fn source() -> impl Strategy<Value = Source> + Clone {
    all_of!(Source: Daemon, ControlPipe, Runner, Process, Protocol, Hook, StatusFile)
}

fn evidence() -> BoxedStrategy<Evidence> {
    (text(), text(), at()).prop_map(|(source, detail, at)| Evidence { source, detail, at }).boxed()
}

fn usage() -> impl Strategy<Value = Usage> + Clone {
    any::<(u64, u64, u64, u64)>().prop_map(|(input_tokens, output_tokens, cache_read_tokens, cache_write_tokens)| {
        Usage { input_tokens, output_tokens, cache_read_tokens, cache_write_tokens }
    })
}

fn turn_end() -> BoxedStrategy<TurnEnd> {
    (outcome(), of(exit()), of(text()), any::<(u64, u64)>(), of(usage()))
        .prop_map(|(outcome, exit, detail, (bytes, cut_bytes), usage)| TurnEnd {
            outcome,
            exit,
            detail,
            answer: AnswerSize { bytes, cut_bytes },
            usage,
        })
        .boxed()
}

fn start_failure() -> BoxedStrategy<StartFailure> {
    prop_oneof![
        text().prop_map(|detail| StartFailure::AgentNotFound { detail }),
        text().prop_map(|detail| StartFailure::AgentStartFailed { detail }),
        text().prop_map(|detail| StartFailure::AuthRequired { detail }),
        text().prop_map(|detail| StartFailure::TrustRequired { detail }),
        text().prop_map(|detail| StartFailure::NotReady { detail }),
        Just(StartFailure::Withdrawn),
    ]
    .boxed()
}

fn session_end() -> BoxedStrategy<SessionEnd> {
    prop_oneof![
        exit().prop_map(|exit| SessionEnd::Ended { exit }),
        Just(SessionEnd::Killed),
        text().prop_map(|detail| SessionEnd::Lost { detail }),
        start_failure().prop_map(|why| SessionEnd::StartFailed { why }),
    ]
    .boxed()
}

fn question() -> BoxedStrategy<Question> {
    let option = (text(), of(text())).prop_map(|(label, description)| QuestionOption { label, description });
    (text(), text(), vec(option, 0..3), any::<bool>(), any::<bool>())
        .prop_map(|(label, text, options, multiple, free_text)| Question { label, text, options, multiple, free_text })
        .boxed()
}

fn new_request() -> BoxedStrategy<NewRequest> {
    let kind = all_of!(RequestKind: Permission, Choice, Input);
    let texts = (text(), of(text()), text(), text());
    (texts, kind, vec(text(), 0..4), any::<bool>(), vec(question(), 0..3))
        .prop_map(|((native, tool, summary, details), kind, options, multiple, questions)| NewRequest {
            native,
            kind,
            tool,
            summary,
            options,
            multiple,
            questions,
            details,
        })
        .boxed()
}

pub(crate) fn request_end() -> impl Strategy<Value = RequestEnd> + Clone {
    all_of!(RequestEnd: Answered, AnsweredThere, Withdrawn)
}

fn origin() -> impl Strategy<Value = TurnOrigin> + Clone {
    prop_oneof![message_id().prop_map(TurnOrigin::Message), Just(TurnOrigin::Person), Just(TurnOrigin::Agent)]
}

fn undeliverable() -> impl Strategy<Value = Undeliverable> + Clone {
    prop_oneof![Just(Undeliverable::SessionExited), text().prop_map(|detail| Undeliverable::NeverTaken { detail })]
}

fn message_end() -> BoxedStrategy<MessageEnd> {
    prop_oneof![
        (turn_number(), outcome()).prop_map(|(turn, outcome)| MessageEnd::Settled { turn, outcome }),
        undeliverable().prop_map(|why| MessageEnd::Undeliverable { why }),
        Just(MessageEnd::Cancelled),
        Just(MessageEnd::Expired),
        unknown_reason().prop_map(|why| MessageEnd::Unknown { why }),
    ]
    .boxed()
}

fn way() -> impl Strategy<Value = Way> + Clone {
    (of(at()), of(evidence()), any::<u32>()).prop_map(|(handed_at, evidence, attempts)| Way {
        handed_at,
        evidence,
        attempts,
    })
}

pub(crate) fn live_state() -> BoxedStrategy<MessageState> {
    prop_oneof![
        of(due()).prop_map(|until| MessageState::Delayed { until }),
        Just(MessageState::Ready),
        (attempt(), at()).prop_map(|(attempt, handed_at)| MessageState::Delivering { attempt, handed_at }),
        (attempt(), at(), evidence(), turn_number()).prop_map(|(attempt, handed_at, evidence, turn)| {
            MessageState::Running { attempt, handed_at, evidence, turn }
        }),
    ]
    .boxed()
}

pub(crate) fn ended_state() -> BoxedStrategy<MessageState> {
    (message_end(), at(), way()).prop_map(|(end, at, way)| MessageState::Ended { end, at, way }).boxed()
}

fn sender() -> impl Strategy<Value = Sender> + Clone {
    let token = token_id().prop_map(Sender::Token);
    prop_oneof![Just(Sender::Human), Just(Sender::Host), session_id().prop_map(Sender::Session), token]
}

fn message_kind() -> impl Strategy<Value = MessageKind> + Clone {
    all_of!(MessageKind: Next, Steer, Command, Wake, Notice)
}

pub(crate) fn message(state: impl Strategy<Value = MessageState> + Clone) -> impl Strategy<Value = Message> + Clone {
    let who = (message_id(), session_id(), sender(), message_kind(), state);
    let what = (any::<u64>(), of(text()), of(message_id()), of(due()), at(), any::<u32>());
    let waits = (of(after()), of(came()));
    (who, what, waits).prop_map(|((id, session, from, kind, state), what, (after, came))| {
        let (bytes, key, reply_to, expires, queued_at, returned) = what;
        Message { id, session, from, kind, bytes, key, reply_to, expires, queued_at, returned, after, came, state }
    })
}

fn came() -> impl Strategy<Value = Came> + Clone {
    any::<(u64, bool)>().prop_map(|(late_ms, overdue)| Came { late_ms, overdue })
}

fn after() -> BoxedStrategy<After> {
    let dependency = (session_id(), name(), of(message_id()), dependency_state());
    let dependency =
        dependency.prop_map(|(session, name, message, state)| Dependency { session, name, message, state });
    (any::<bool>(), vec(dependency, 0..3)).prop_map(|(any, of)| After { any, of }).boxed()
}

fn turn_result() -> BoxedStrategy<TurnResult> {
    (turn_number(), outcome(), of(exit())).prop_map(|(turn, outcome, exit)| TurnResult { turn, outcome, exit }).boxed()
}

fn settlement() -> BoxedStrategy<Settlement> {
    prop_oneof![
        turn_result().prop_map(Settlement::Turn),
        (message_id(), message_end()).prop_map(|(message, end)| Settlement::Fallen { message, end }),
        Just(Settlement::Idle),
        Just(Settlement::Exited),
    ]
    .boxed()
}

fn dependency_state() -> BoxedStrategy<DependencyState> {
    prop_oneof![
        (waiting(), of(turn_result())).prop_map(|(waiting, turn)| DependencyState::Open { waiting, turn }),
        (settlement(), at()).prop_map(|(how, at)| DependencyState::Settled { how, at }),
        Just(DependencyState::Unmet),
    ]
    .boxed()
}

fn waiting() -> BoxedStrategy<Waiting> {
    let fallen = (message_id(), message_end()).prop_map(|(message, end)| Fallen { message, end });
    let what = (session_id(), of(turn_number()), proptest::collection::btree_set(message_id(), 0..3));
    (what, any::<[bool; 3]>(), of(turn_number()), of(fallen))
        .prop_map(|((session, turn, messages), flags, ended, fallen)| {
            let [next_turn, readiness, through_input] = flags;
            Waiting { session, turn, messages, next_turn, readiness, through_input, ended, fallen }
        })
        .boxed()
}

pub(crate) fn any_message() -> BoxedStrategy<Message> {
    message(prop_oneof![live_state(), ended_state()]).boxed()
}

pub(crate) fn ended_turn() -> BoxedStrategy<EndedTurn> {
    (turn_number(), origin(), at(), at(), vec(message_id(), 0..4), turn_end())
        .prop_map(|(number, origin, started_at, ended_at, messages, end)| EndedTurn {
            number,
            origin,
            started_at,
            ended_at,
            messages,
            end,
        })
        .boxed()
}

pub(crate) fn request() -> BoxedStrategy<Request> {
    (request_id(), session_id(), turn_number(), new_request(), at(), of(at()))
        .prop_map(|(id, session, turn, asked, opened_at, answered_at)| Request {
            id,
            session,
            turn,
            asked,
            opened_at,
            answered_at,
        })
        .boxed()
}

pub(crate) fn name() -> impl Strategy<Value = SessionName> + Clone {
    "[a-z][a-z0-9]{3,8}(-[a-z0-9]{1,8}){0,3}".prop_map(|name: String| name.parse().unwrap())
}

fn mode() -> impl Strategy<Value = Mode> + Clone {
    all_of!(Mode: Native, Guarded, Docker)
}

fn resume() -> impl Strategy<Value = Resume> + Clone {
    prop_oneof![text().prop_map(Resume::Conversation), Just(Resume::Latest)]
}

fn policy() -> impl Strategy<Value = Policy> + Clone {
    (vec(text(), 0..3), vec(text(), 0..3)).prop_map(|(allow, deny)| Policy { allow, deny })
}

fn profile() -> BoxedStrategy<Profile> {
    let texts = (text(), text(), text(), text(), vec(text(), 0..3));
    let maybe = (of(text()), of(text()), of(text()), of(text()), of(worktree()));
    let more = (of(text()), any::<bool>(), of(text()), vec(text(), 0..3), of(resume()), policy(), of(token_id()));
    (texts, maybe, mode(), (any::<bool>(), any::<bool>(), sender()), more)
        .prop_map(|(texts, maybe, mode, (keep_failed, trust, creator), more)| {
            let (agent, path, program, token_hash, env_names) = texts;
            let (project, description, model, key, worktree) = maybe;
            let (effort, headless, sandbox, arguments, resume, policy, owner) = more;
            Profile {
                agent: AgentName::new(agent),
                mode,
                path,
                project,
                worktree,
                description,
                model,
                effort,
                headless,
                sandbox,
                arguments,
                resume,
                policy,
                program,
                env_names,
                creator,
                key,
                token_hash,
                keep_failed,
                trust,
                owner,
            }
        })
        .boxed()
}

fn worktree() -> impl Strategy<Value = Worktree> {
    let made = (text(), text(), text(), of(text())).prop_map(|(id, branch, base, base_branch)| MadeWorktree {
        id,
        branch,
        base,
        base_branch,
    });
    (text(), text(), of(made)).prop_map(|(top, checkout, made)| Worktree { top, checkout, made })
}

fn phase() -> BoxedStrategy<Phase> {
    prop_oneof![
        Just(Phase::Starting),
        Just(Phase::Live),
        (at(), unknown_reason(), any::<bool>()).prop_map(|(since, why, was_ready)| Phase::Unseen {
            since,
            why,
            was_ready
        }),
        (session_end(), at()).prop_map(|(end, at)| Phase::Exited { end, at }),
    ]
    .boxed()
}

fn work() -> BoxedStrategy<Work> {
    let turn = (turn_number(), origin(), at(), vec(message_id(), 0..3), of(at()), vec(request(), 0..3));
    let running = turn.prop_map(|(number, origin, started_at, messages, interrupt_asked_at, requests)| {
        let requests = requests.into_iter().map(|request| (request.id, request)).collect();
        Work::Turn(RunningTurn { number, origin, started_at, messages, interrupt_asked_at, requests })
    });
    prop_oneof![Just(Work::Idle), running].boxed()
}

fn processes() -> BoxedStrategy<Processes> {
    (incarnation(), incarnation(), text())
        .prop_map(|(runner, agent, supervisor)| Processes { runner, agent, supervisor })
        .boxed()
}

fn hold() -> impl Strategy<Value = Hold> + Clone {
    all_of!(Hold: Off, AfterInterrupt, ByHand)
}

/// A session whose parts belong together as they do in a host.
pub(crate) fn session() -> BoxedStrategy<Session> {
    let fixed = (session_id(), name(), profile(), of(session_id()), at(), at());
    let life = (
        phase(),
        work(),
        of((at(), any::<bool>(), of(session_id()))),
        hold(),
        of(processes()),
        (source(), at(), text()),
    );
    let queue = (vec(message(live_state()), 0..4), of(message_id()), of(message_id()), of(session_id()));
    let numbers = (0..=u32::MAX, any::<u64>(), any::<u32>(), any::<u32>());
    let rest = (numbers, of(ended_turn()), of(text()), of(goal()), vec(session_id(), 0..3));
    (fixed, life, queue, rest)
        .prop_map(|(fixed, life, queue, rest)| {
            let (id, name, profile, parent, created_at, last_used_at) = fixed;
            let (phase, mut work, stopping, hold, processes, basis) = life;
            let (messages, stop_next, unclear, interrupted_by) = queue;
            let ((turns_begun, cursor, revivals, turns_before), last_turn, conversation, goal, contacts) = rest;
            settle_requests(&mut work, id);
            let messages: std::collections::BTreeMap<_, _> =
                messages.into_iter().map(|message| (message.id, Message { session: id, ..message })).collect();
            let is_ready = |message: &&Message| message.state == MessageState::Ready;
            let ready = messages.values().filter(is_ready).map(|message| message.id).rev().collect();
            let stopping = stopping.map(|(at, force, by)| Stopping { at, force, by });
            let basis = Basis { source: basis.0, at: basis.1, said: basis.2 };
            Session {
                id,
                name,
                profile,
                parent,
                created_at,
                last_used_at,
                phase,
                work,
                stopping,
                hold,
                processes,
                conversation,
                goal,
                contacts,
                basis,
                turns_begun,
                last_turn,
                messages,
                ready,
                stop_next,
                interrupted_by,
                unclear,
                cursor,
                revivals,
                turns_before,
            }
        })
        .boxed()
}

fn goal() -> BoxedStrategy<Goal> {
    (text(), text(), of(any::<u64>()))
        .prop_map(|(objective, status, token_budget)| Goal { objective, status, token_budget })
        .boxed()
}

fn settle_requests(work: &mut Work, session: SessionId) {
    match work {
        Work::Idle => {}
        Work::Turn(turn) => {
            for request in turn.requests.values_mut() {
                (request.session, request.turn) = (session, turn.number);
            }
        }
    }
}

/// Any event.
pub(crate) fn event() -> BoxedStrategy<Event> {
    prop_oneof![
        session_event(),
        session_end_event(),
        message_event(),
        message_way_event(),
        turn_event(),
        request_event()
    ]
    .boxed()
}

fn session_event() -> BoxedStrategy<Event> {
    prop_oneof![
        (name(), profile(), of(session_id())).prop_map(|(name, profile, parent)| Event::SessionCreated {
            name,
            profile: Box::new(profile),
            parent
        }),
        (incarnation(), incarnation(), text()).prop_map(|(runner, agent, supervisor)| Event::SessionStarted {
            runner,
            agent,
            supervisor
        }),
        (sender(), text(), text()).prop_map(|(by, program, token_hash)| Event::SessionRevived {
            by,
            program,
            token_hash
        }),
        Just(Event::SessionReady),
        unknown_reason().prop_map(|why| Event::SessionUnseen { why }),
        Just(Event::SessionSeen),
        text().prop_map(|native| Event::SessionConversation { native }),
        of(goal()).prop_map(|goal| Event::GoalChanged { goal }),
        text().prop_map(|text| Event::SessionNotice { text }),
        (sender(), any::<bool>()).prop_map(|(by, force)| Event::SessionStopAsked { by, force }),
        of(session_id()).prop_map(|parent| Event::SessionReparented { parent }),
        session_id().prop_map(|to| Event::SessionIntroduced { to }),
        session_id().prop_map(|child| Event::ChildCreated { child }),
    ]
    .boxed()
}

fn session_end_event() -> BoxedStrategy<Event> {
    prop_oneof![
        session_end().prop_map(|end| Event::SessionExited { end }),
        (session_id(), session_end()).prop_map(|(child, end)| Event::ChildEnded { child, end }),
        Just(Event::SessionPurged),
        any::<bool>().prop_map(|by_hand| Event::QueueHeld { by_hand }),
        Just(Event::QueueReleased),
    ]
    .boxed()
}

fn message_event() -> BoxedStrategy<Event> {
    let place = prop_oneof![Just(Place::First), message_id().prop_map(Place::After)];
    prop_oneof![
        any_message().prop_map(|message| Event::MessageQueued { message }),
        (message_id(), of(came())).prop_map(|(message, came)| Event::MessageDue { message, came }),
        (message_id(), any::<u32>(), session_id(), settlement())
            .prop_map(|(message, which, of, how)| Event::MessageAfterSettled { message, which, of, how }),
        (message_id(), of(any::<u64>()), of(of(due())), of(place))
            .prop_map(|(message, bytes, due, place)| Event::MessageChanged { message, bytes, due, place }),
    ]
    .boxed()
}

fn message_way_event() -> BoxedStrategy<Event> {
    prop_oneof![
        (message_id(), attempt()).prop_map(|(message, attempt)| Event::MessageHanded { message, attempt }),
        (message_id(), text()).prop_map(|(message, detail)| Event::MessageReturned { message, detail }),
        (message_id(), turn_number(), evidence()).prop_map(|(message, turn, evidence)| Event::MessageAccepted {
            message,
            turn,
            evidence
        }),
        (message_id(), message_end()).prop_map(|(message, end)| Event::MessageEnded { message, end }),
    ]
    .boxed()
}

fn turn_event() -> BoxedStrategy<Event> {
    prop_oneof![
        (turn_number(), origin()).prop_map(|(turn, origin)| Event::TurnStarted { turn, origin }),
        (turn_number(), sender()).prop_map(|(turn, by)| Event::TurnInterruptAsked { turn, by }),
        (turn_number(), text()).prop_map(|(turn, detail)| Event::TurnInterruptPassed { turn, detail }),
        (turn_number(), turn_end()).prop_map(|(turn, end)| Event::TurnEnded { turn, end }),
        (turn_number(), usage()).prop_map(|(turn, usage)| Event::TurnCounted { turn, usage }),
    ]
    .boxed()
}

fn request_event() -> BoxedStrategy<Event> {
    prop_oneof![
        (request_id(), turn_number(), new_request()).prop_map(|(request, turn, asked)| Event::RequestOpened {
            request,
            turn,
            asked
        }),
        (request_id(), sender(), text()).prop_map(|(request, by, decision)| Event::RequestAnswered {
            request,
            by,
            decision
        }),
        (text(), text(), text()).prop_map(|(tool, decision, summary)| Event::RequestPolicy { tool, decision, summary }),
        (request_id(), request_end()).prop_map(|(request, end)| Event::RequestClosed { request, end }),
    ]
    .boxed()
}
