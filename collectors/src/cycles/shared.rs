//! Shared detection: a full detection by all threads that are stopped anyway.
//!
//! The heap is cut into parts, block by block in turn. A thread that works on a part holds its lock, and nobody else
//! writes its scratch entries: there is no atomic read-modify-write in the whole detection. References that lead into
//! another part are sent there in buffers. A part is not tied to a thread, so that a thread that comes late, or never,
//! holds nobody up.
//!
//! # Invariants
//!
//! 1. The scratch entries of a part are written by the holder of its lock alone, and read by others only to see that an
//!    object needs no visit any more.
//! 2. `unfinished` is the number of parts with blocks to scan and of buffers sent and not worked through, those under way
//!    included. What work causes is counted before the work is counted off, so that it is 0 only when all is done.

use super::{
    detect::{Detection, subtract_block, subtract_one},
    reach::{Reach, Route},
};
use crate::{
    counts::Count,
    heap::{Object, block::Block, layout::BLOCK_BYTES},
    threads::{
        sync::{
            Mutex,
            atomic::{AtomicUsize, Ordering::Relaxed},
            capacity, thread,
        },
        world::Stopped,
    },
};

/// How many references a buffer takes.
const BUFFERED: usize = capacity(1024, 1);

/// How many blocks are scanned before a thread looks for what has been sent to it.
const BLOCKS_A_TURN: usize = capacity(4, 1);

/// How many entries ahead are fetched while a buffer is worked through.
const LOOKED_AHEAD: usize = 12;

/// What the threads work on.
struct Parts<K: Count> {
    parts: Vec<Part<K>>,
    unfinished: AtomicUsize,
}

/// A part of the heap.
struct Part<K: Count> {
    state: Mutex<State<K>>,
    inbox: Mutex<Vec<Vec<Object<K>>>>,
}

struct State<K: Count> {
    blocks: Vec<Block>,
    /// How many of them have been scanned in this phase.
    scanned: usize,
    /// Whether that has been counted off.
    is_scanned: bool,
    examined: u64,
    reach: Reach<K>,
}

/// What a thread does with parts: first it subtracts, then it sweeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Subtract,
    Sweep,
}

/// A thread's buffers for the other parts.
struct Outbox<'p, K: Count> {
    parts: &'p Parts<K>,
    ours: usize,
    buffers: Vec<Vec<Object<K>>>,
    spare: Vec<Vec<Object<K>>>,
}

/// Detects with up to `workers` threads.
pub(crate) fn detect<K: Count>(
    blocks: &[Block],
    stopped: &Stopped<'_>,
    workers: usize,
) -> Detection {
    let mut parts = Parts::<K>::new(blocks, workers.next_power_of_two());
    for phase in [Phase::Subtract, Phase::Sweep] {
        parts.begin();
        stopped.share(&|_| parts.work(phase));
    }
    let mut detection = Detection { examined: 0, garbage: 0 };
    for part in &mut parts.parts {
        let state = part.state();
        detection.examined += state.examined;
        detection.garbage += state.examined;
        detection.garbage -= state.reach.reached;
    }
    detection
}

impl<K: Count> Parts<K> {
    fn new(blocks: &[Block], count: usize) -> Self {
        let mut dealt: Vec<Vec<Block>> = vec![Vec::new(); count];
        for &block in blocks {
            dealt[part_of(block.start(), count)].push(block);
        }
        let part = |blocks| Part {
            state: Mutex::new(State {
                blocks,
                scanned: 0,
                is_scanned: false,
                examined: 0,
                reach: Reach::new(),
            }),
            inbox: Mutex::new(Vec::new()),
        };
        Self { parts: dealt.into_iter().map(part).collect(), unfinished: AtomicUsize::new(0) }
    }

    /// Makes all parts ready for the next phase.
    fn begin(&mut self) {
        for part in &self.parts {
            let mut state = part.state();
            state.scanned = 0;
            state.is_scanned = false;
        }
        // Relaxed: ours alone to write; the job's hand-over publishes it, under the world's lock.
        self.unfinished.store(self.parts.len(), Relaxed);
    }

    /// Works on whatever part is free until all is done.
    fn work(&self, phase: Phase) {
        let mut outbox = Outbox::new(self);
        // Relaxed: a statistic until it is 0; then `share` orders all that was done before its return.
        while self.unfinished.load(Relaxed) > 0 {
            let mut has_worked = false;
            for index in 0..self.parts.len() {
                outbox.ours = index;
                has_worked |= self.turns(phase, &mut outbox);
            }
            if !has_worked {
                thread::yield_now();
            }
        }
    }

    /// Works on one part, if it is free, for as long as there is anything to do. Says whether there was.
    fn turns(&self, phase: Phase, outbox: &mut Outbox<'_, K>) -> bool {
        let part = &self.parts[outbox.ours];
        let Ok(mut state) = part.state.try_lock() else { return false };
        let mut turns = 0;
        while self.turn(phase, part, &mut state, outbox) {
            turns += 1;
        }
        turns > 0
    }

    fn turn(
        &self,
        phase: Phase,
        part: &Part<K>,
        state: &mut State<K>,
        outbox: &mut Outbox<'_, K>,
    ) -> bool {
        let received = std::mem::take(&mut *part.inbox());
        let mut finished = received.len();
        let begun = state.scanned;
        for buffer in received {
            work_through(phase, &buffer, state);
            outbox.recycle(buffer);
        }
        let end = (begun + BLOCKS_A_TURN).min(state.blocks.len());
        for index in begun..end {
            let block = state.blocks[index];
            match phase {
                Phase::Subtract => state.examined += subtract_block(block, outbox),
                Phase::Sweep => state.reach.sweep_block(block, outbox),
            }
        }
        state.scanned = end;
        if phase == Phase::Sweep {
            let is_last = end == state.blocks.len();
            if is_last { state.reach.end(outbox) } else { state.reach.work(0, outbox) }
        }
        outbox.flush();
        if end == state.blocks.len() && !state.is_scanned {
            state.is_scanned = true;
            finished += 1;
        }
        // INVARIANT 2: what this turn has caused is counted already.
        // Relaxed: as in `work`, a statistic until it is 0.
        self.unfinished.fetch_sub(finished, Relaxed);
        finished > 0 || begun < end
    }
}

/// Does what the references in a buffer ask for.
fn work_through<K: Count>(phase: Phase, buffer: &[Object<K>], state: &mut State<K>) {
    for (index, &object) in buffer.iter().enumerate() {
        if let Some(ahead) = buffer.get(index + LOOKED_AHEAD) {
            ahead.prefetch_scratch();
        }
        match phase {
            Phase::Subtract => subtract_one(object),
            Phase::Sweep => state.reach.reach(object),
        }
    }
}

impl<K: Count> Part<K> {
    fn state(&self) -> crate::threads::sync::MutexGuard<'_, State<K>> {
        self.state.lock().expect("a panic in a collection ends it")
    }

    fn inbox(&self) -> crate::threads::sync::MutexGuard<'_, Vec<Vec<Object<K>>>> {
        self.inbox.lock().expect("nothing panics while it holds this lock")
    }
}

impl<'p, K: Count> Outbox<'p, K> {
    fn new(parts: &'p Parts<K>) -> Self {
        let buffers = parts.parts.iter().map(|_| Vec::new()).collect();
        Self { parts, ours: 0, buffers, spare: Vec::new() }
    }

    /// Hands over all that has been collected.
    fn flush(&mut self) {
        for part in 0..self.buffers.len() {
            if !self.buffers[part].is_empty() {
                self.hand_over(part);
            }
        }
    }

    #[cold]
    fn hand_over(&mut self, part: usize) {
        let empty = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(BUFFERED));
        let buffer = std::mem::replace(&mut self.buffers[part], empty);
        // INVARIANT 2: counted before it can be counted off.
        // Relaxed: as in `work`, a statistic until it is 0.
        self.parts.unfinished.fetch_add(1, Relaxed);
        self.parts.parts[part].inbox().push(buffer);
    }

    fn recycle(&mut self, mut buffer: Vec<Object<K>>) {
        buffer.clear();
        self.spare.push(buffer);
    }
}

impl<K: Count> Route<K> for Outbox<'_, K> {
    #[inline(always)]
    fn is_ours(&self, object: Object<K>) -> bool {
        part_of(object.address(), self.buffers.len()) == self.ours
    }

    #[inline(always)]
    fn send(&mut self, object: Object<K>) {
        let part = part_of(object.address(), self.buffers.len());
        self.buffers[part].push(object);
        if self.buffers[part].len() >= BUFFERED {
            self.hand_over(part);
        }
    }
}

/// The part of `count`, a power of two, that an address lies in.
#[inline(always)]
fn part_of(address: usize, count: usize) -> usize {
    (address / BLOCK_BYTES) & (count - 1)
}
