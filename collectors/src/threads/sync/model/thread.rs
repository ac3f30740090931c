//! Threads of a model: loom's, counted, with the scopes that loom lacks.

use std::{
    cell::{Cell, RefCell},
    marker::PhantomData,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
};

pub(crate) use loom::thread::{JoinHandle, yield_now};
pub(crate) use std::thread::{Result, panicking};

thread_local! {
    static SPAWNED: Cell<usize> = const { Cell::new(0) };
}

/// Begins a thread that runs `body`.
#[track_caller]
pub(crate) fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    SPAWNED.set(SPAWNED.get() + 1);
    loom::thread::spawn(body)
}

/// How many threads were spawned since the last call.
pub(super) fn take_spawned() -> usize {
    SPAWNED.take()
}

/// A scope whose threads may borrow what outlives it.
pub(crate) struct Scope<'scope, 'env: 'scope> {
    threads: RefCell<Vec<Running>>,
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// A thread of a scope, until somebody joins it: its handle's owner, or else the scope.
type Running = Rc<Cell<Option<JoinHandle<()>>>>;

/// A thread that ends before its scope does.
pub(crate) struct ScopedJoinHandle<'scope, T> {
    running: Running,
    result: Rc<Cell<Option<T>>>,
    scope: PhantomData<&'scope ()>,
}

/// Runs `body` with a scope, and joins every thread of the scope before it returns or unwinds.
#[track_caller]
pub(crate) fn scope<'env, T>(body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T) -> T {
    let scope = Scope { threads: RefCell::default(), scope: PhantomData, env: PhantomData };
    let result = catch_unwind(AssertUnwindSafe(|| body(&scope)));
    for thread in scope.threads.take() {
        let _ = thread.take().map(JoinHandle::join);
    }
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

impl<'scope> Scope<'scope, '_> {
    /// Begins a thread that runs `body` and ends before the scope does.
    #[track_caller]
    pub(crate) fn spawn<T: Send + 'scope>(
        &'scope self,
        body: impl FnOnce() -> T + Send + 'scope,
    ) -> ScopedJoinHandle<'scope, T> {
        let result = Rc::new(Cell::new(None));
        let place = Rc::clone(&result);
        let body: Box<dyn FnOnce() + 'scope> = Box::new(move || place.set(Some(body())));
        // SAFETY: only the lifetime changes, and `scope` joins the thread while what it borrows lives.
        let body = unsafe { mem::transmute::<Box<dyn FnOnce() + 'scope>, Box<dyn FnOnce()>>(body) };
        SPAWNED.set(SPAWNED.get() + 1);
        let running = Rc::new(Cell::new(Some(loom::thread::spawn(body))));
        self.threads.borrow_mut().push(Rc::clone(&running));
        ScopedJoinHandle { running, result, scope: PhantomData }
    }
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits for the thread to end, and hands over what it returned.
    #[track_caller]
    pub(crate) fn join(self) -> Result<T> {
        if let Some(thread) = self.running.take() {
            thread.join()?;
        }
        Ok(self.result.take().expect("a thread that has ended has a result"))
    }
}
