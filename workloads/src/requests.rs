//! Requests: a server with sessions, to which requests come whether it is ready for them or not.
//!
//! *Claim tested:* that the lengths of pauses tell what users feel. A user waits for a reply, so what counts is the time
//! from when a request came to when it was answered, and a pause of 50 ms delays every request that comes meanwhile. The
//! arrivals are a Poisson process fixed by the seed, and each latency is measured from the moment at which the request
//! should have begun. A server that cannot keep up has latencies that grow; its users do not come later for it. (The
//! opposite, to send the next request once the last is answered, hides nearly all of a pause: coordinated omission.)
//!
//! Every request points to its session, and the session to its latest requests, so a session that ends leaves cyclic
//! garbage which has become old. A share of the requests also know their reply and are known by it; each is a small
//! cycle as soon as the session forgets it, and for counting alone holds on to the session too.

use collectors::OutOfMemory;
use serde::{Deserialize, Serialize};

use crate::{
    Choices, Expected, Manager, Memory, Parameter, ParameterError, PlainMemory, Program, Reference,
    Workload,
    chains::{self, Shape},
    distributions::exponential,
    parameter::within,
};

/// The slots of a request.
const SESSION: usize = 0;
const PARTS: usize = 1;
const REPLY: usize = 2;

/// The slot of a reply that holds its request, if it knows it.
const REQUEST: usize = 0;

/// The workload `requests`.
pub struct Requests;

/// How many requests come, how fast, and what they leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// Requests served by each thread.
    pub requests: u64,
    /// Requests that come to each thread in a second, on average.
    pub rate: u32,
    /// Sessions of each thread at a time.
    pub sessions: u32,
    /// Requests after which a session ends, on average.
    pub session_length: u32,
    /// Requests that a session remembers.
    pub history: u32,
    /// Objects that a request consists of, besides itself and its reply.
    pub parts: u32,
    /// Of 100 requests, how many are known by their reply.
    pub cyclic_percent: u32,
    /// Data words of each object.
    pub words: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            requests: 8000,
            rate: 20_000,
            sessions: 500,
            session_length: 50,
            history: 10,
            parts: 40,
            cyclic_percent: 50,
            words: 4,
        }
    }
}

/// The classes of the workload.
pub struct Classes<K> {
    table: K,
    session: K,
    request: K,
    part: K,
    reply: K,
}

impl Workload for Requests {
    const NAME: &'static str = "requests";
    const SUMMARY: &'static str = "a server with sessions, to which requests come at their own times: \
                                   what of a pause do users feel?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "requests",
            default: "8000",
            unit: "requests",
            range: "1 to 1000000000",
            meaning: "requests served by each thread",
        },
        Parameter {
            name: "rate",
            default: "20000",
            unit: "requests a second",
            range: "1 to 100000000",
            meaning: "requests that come to each thread, on average",
        },
        Parameter {
            name: "sessions",
            default: "500",
            unit: "sessions",
            range: "1 to 100000000",
            meaning: "sessions of each thread at a time",
        },
        Parameter {
            name: "session-length",
            default: "50",
            unit: "requests",
            range: "1 to 1000000",
            meaning: "requests after which a session ends, on average",
        },
        Parameter {
            name: "history",
            default: "10",
            unit: "requests",
            range: "1 to 1000000",
            meaning: "requests that a session remembers and refers to",
        },
        Parameter {
            name: "parts",
            default: "40",
            unit: "objects",
            range: "1 to 1000000",
            meaning: "what a request consists of, besides itself and its reply",
        },
        Parameter {
            name: "cyclic-percent",
            default: "50",
            unit: "%",
            range: "0 to 100",
            meaning: "requests that are known by their reply, and so cycles of their own",
        },
        Parameter {
            name: "words",
            default: "4",
            unit: "words of 8 bytes",
            range: "1 to 1024",
            meaning: "data in each object",
        },
    ];

    type Parameters = Parameters;
    type Setup<C: Manager> = Classes<C::Class>;

    fn validate(parameters: &Parameters) -> Result<(), ParameterError> {
        within("requests", parameters.requests, 1..=1_000_000_000)?;
        within("rate", parameters.rate.into(), 1..=100_000_000)?;
        within("sessions", parameters.sessions.into(), 1..=100_000_000)?;
        within("session-length", parameters.session_length.into(), 1..=1_000_000)?;
        within("history", parameters.history.into(), 1..=1_000_000)?;
        within("parts", parameters.parts.into(), 1..=1_000_000)?;
        within("cyclic-percent", parameters.cyclic_percent.into(), 0..=100)?;
        within("words", parameters.words.into(), 1..=1024)
    }

    fn prepare<C: Manager>(
        program: &mut Program<'_, C>,
        parameters: &Parameters,
    ) -> Result<Classes<C::Class>, OutOfMemory> {
        Ok(Classes::new(program, parameters))
    }

    fn play<C: Manager>(
        program: &mut Program<'_, C>,
        setup: &Classes<C::Class>,
        parameters: &Parameters,
    ) -> Result<(), OutOfMemory> {
        let server = Server::open(program, setup, parameters)?;
        let mut intended_ns = program.now_ns();
        for _ in 0..parameters.requests {
            intended_ns += gap_ns(program, parameters);
            program.wait_until(intended_ns);
            let began_ns = program.now_ns();
            server.serve(program)?;
            program.completed(intended_ns, began_ns);
        }
        server.close(program);
        Ok(())
    }

    fn predict(parameters: &Parameters, choices: Choices) -> Expected {
        PlainMemory::play(choices, |memory| {
            let classes = Classes::new(memory, parameters);
            let server = Server::open(memory, &classes, parameters)?;
            for _ in 0..parameters.requests {
                // Time decides nothing, but it is drawn from the same stream.
                gap_ns(memory, parameters);
                server.serve(memory)?;
            }
            server.close(memory);
            Ok(())
        })
    }
}

impl<K> Classes<K> {
    fn new<M: Memory<Class = K>>(memory: &mut M, parameters: &Parameters) -> Self {
        Self {
            table: memory.class("Table", 0, 0),
            session: memory.class("Session", parameters.history, parameters.words),
            request: memory.class("Request", 3, parameters.words),
            part: memory.class("Part", 1, parameters.words),
            reply: memory.class("Reply", 1, parameters.words),
        }
    }
}

/// The time from one arrival to the next.
fn gap_ns<M: Memory>(memory: &mut M, parameters: &Parameters) -> u64 {
    exponential(memory.choices(), 1e9 / f64::from(parameters.rate)) as u64
}

/// What one thread serves requests with.
struct Server<'a, M: Memory> {
    classes: &'a Classes<M::Class>,
    parameters: &'a Parameters,
    sessions: M::Root,
}

impl<'a, M: Memory> Server<'a, M> {
    /// A server whose sessions have all begun.
    fn open(
        memory: &mut M,
        classes: &'a Classes<M::Class>,
        parameters: &'a Parameters,
    ) -> Result<Self, OutOfMemory> {
        let sessions = memory.alloc_with(&classes.table, parameters.sessions)?;
        for place in 0..sessions.slots() {
            let session = memory.alloc(&classes.session)?;
            memory.set(&sessions, place, Some(&session));
        }
        Ok(Self { classes, parameters, sessions })
    }

    /// Serves one request of some session, which may end by it.
    fn serve(&self, memory: &mut M) -> Result<(), OutOfMemory> {
        let place = memory.choices().below(self.sessions.slots());
        let request = self.receive(memory, place)?;
        memory.read(&request);
        if let Some(head) = request.get(PARTS) {
            chains::read(memory, &head, self.parameters.parts);
        }
        if let Some(reply) = request.get(REPLY) {
            memory.read(&reply);
            memory.follow(&reply, REQUEST);
        }
        if let Some(session) = memory.follow(&request, SESSION) {
            let forgotten = memory.choices().below(session.slots());
            memory.replace(&session, forgotten, Some(&request));
        }
        if memory.choices().below(self.parameters.session_length as usize) == 0 {
            let next = memory.alloc(&self.classes.session)?;
            self.end(memory, place, Some(&next));
        }
        Ok(())
    }

    /// Makes a request with its parts and its reply.
    fn receive(&self, memory: &mut M, place: usize) -> Result<M::Root, OutOfMemory> {
        let is_known = memory.choices().percent(self.parameters.cyclic_percent);
        let request = memory.alloc(&self.classes.request)?;
        memory.set(&request, SESSION, self.sessions.get(place).as_ref());
        let parts = chains::make(memory, &self.classes.part, Shape::List, self.parameters.parts)?;
        memory.set(&request, PARTS, Some(&parts));
        let reply = memory.alloc(&self.classes.reply)?;
        memory.set(&request, REPLY, Some(&reply));
        if is_known {
            memory.set(&reply, REQUEST, Some(&request));
        }
        Ok(request)
    }

    /// Ends the session at `place`, in whose place comes `next`.
    fn end(&self, memory: &mut M, place: usize, next: Option<&M::Root>) {
        let Some(session) = memory.swap(&self.sessions, place, next) else { return };
        memory.read(&session);
        for remembered in 0..session.slots() {
            memory.follow(&session, remembered);
        }
    }

    /// Ends all sessions.
    fn close(&self, memory: &mut M) {
        for place in 0..self.sessions.slots() {
            self.end(memory, place, None);
            memory.safepoint();
        }
    }
}

#[cfg(test)]
mod tests;
