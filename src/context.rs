//! The one thing that a command receives: the session of the engine, the output, and the grammar.

use std::ops::Deref;
#[cfg(feature = "demo")]
use std::path::PathBuf;
use std::rc::Rc;

use crate::output::Output;
use crate::output::block::{Block, plain};
use crate::output::prompt::can_prompt;
use crate::output::report::{Meta, Report};
use clap::ArgMatches;
use futures_util::future::LocalBoxFuture;
use liveops_domain::error::Result;
use liveops_engine::change::confirmed::Confirmed;
use liveops_engine::change::{Changed, Done, Plan};
use liveops_engine::incident::resolve::environment_of;
use liveops_engine::session::Session;
use serde::Serialize;

/// The whole command line, handed in: whoever checks or runs a line of liveops need not know all commands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grammar {
    pub(crate) command: fn() -> clap::Command,
    /// Runs what was parsed, and returns the exit code.
    pub(crate) dispatch: for<'a> fn(ArgMatches, &'a Context) -> LocalBoxFuture<'a, Result<u8>>,
    /// Runs a line as a shell would, with the global options of this context, and returns the exit code. Errors are
    /// said like everything else: through the output that is handed in, or the terminal.
    pub(crate) line: for<'a> fn(&'a str, &'a Context, Option<Output>) -> LocalBoxFuture<'a, u8>,
}

/// What a command works with: everything that a [`Session`] has, and what is seen.
#[derive(Debug)]
pub(crate) struct Context {
    session: Session,
    pub(crate) output: Rc<Output>,
    pub(crate) grammar: Grammar,
}

impl Deref for Context {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Context {
    /// A context for one run.
    pub(crate) fn new(session: Session, output: Rc<Output>, grammar: Grammar) -> Self {
        Self { session, output, grammar }
    }

    /// As [`Session::elsewhere`], with nothing to repeat.
    #[cfg(feature = "demo")]
    pub(crate) fn elsewhere(&self, config: PathBuf, work: PathBuf) -> Self {
        Self {
            session: self.session.elsewhere(config, work),
            output: Rc::new(self.output.again()),
            grammar: self.grammar,
        }
    }

    /// As [`Session::in_region`].
    pub(crate) fn in_region(&self, region: &str) -> Self {
        Self { session: self.session.in_region(region), output: Rc::clone(&self.output), grammar: self.grammar }
    }

    /// As [`Session::in_environment`].
    fn in_environment(&self, name: &str) -> Self {
        let session = self.session.in_environment(name);
        let output = Rc::new(self.output.again().repeating(session.repeat().clone()));
        Self { session, output, grammar: self.grammar }
    }

    /// The same context in the environment of the incident that is named, where that is another one.
    pub(crate) fn where_incident(&self, named: Option<&str>) -> Result<Option<Self>> {
        Ok(match named {
            Some(named) => environment_of(self, named)?.map(|name| self.in_environment(&name)),
            None => None,
        })
    }

    /// As [`Session::typed`].
    pub(crate) fn typed(&self, command_line: &str) -> Self {
        Self { session: self.session.typed(command_line), output: Rc::clone(&self.output), grammar: self.grammar }
    }

    /// The same context as a part of another run: what interrupts that one interrupts this.
    pub(crate) fn within(mut self, outer: &Self) -> Self {
        self.session.interrupts = Rc::clone(&outer.session.interrupts);
        self
    }

    /// Prints a report on this environment, or the one that its frame names.
    pub(crate) fn show(&self, report: &dyn Report, meta: Meta) -> Result<()> {
        self.show_anywhere(report, self.framed(meta)?)
    }

    /// Prints a report that is on no environment.
    pub(crate) fn show_anywhere(&self, report: &dyn Report, meta: Meta) -> Result<()> {
        self.output.print(report, meta, self.clock.now())
    }

    /// Prints one report of a stream.
    pub(crate) fn show_line(&self, report: &dyn Report, meta: Meta) -> Result<()> {
        self.output.print_line(report, self.framed(meta)?, self.clock.now())
    }

    fn framed(&self, meta: Meta) -> Result<Meta> {
        let environment = match meta.environment {
            Some(other) => other,
            None => self.environment()?.to_owned(),
        };
        Ok(Meta { environment: Some(environment), ..meta })
    }

    /// Carries a change out; `preview` is what the person judges it by.
    pub(crate) async fn change<T: Serialize>(
        &self,
        plan: Plan,
        preview: Vec<Block>,
        act: impl AsyncFnOnce(&Confirmed) -> Result<Done<T>>,
    ) -> Result<Changed<T>> {
        let action = plan.summary.clone();
        let is_asked = can_prompt() && !self.choices.yes && !self.choices.dry_run;
        let show = |line: String| {
            // A program reads the plan from the report, and wants no prose beside the one object of an error.
            if can_prompt() || !self.output.format().is_machine() {
                let mut blocks = preview;
                blocks.push(Block::Whole(vec![plain(line)]));
                if is_asked {
                    return self.output.show_plan_to_read(&blocks, self.clock.now());
                }
                self.output.show_plan(&blocks, self.clock.now());
            }
            Ok(())
        };
        let changed = plan.carry_out(&self.change_context()?, show, act).await?;
        if let Changed::Done { id, .. } = &changed {
            let look = id.as_ref().map_or_else(|| "audit list".to_owned(), |id| format!("audit show {id}"));
            self.output.has_changed(&action, &format!("liveops {look}"));
        }
        Ok(changed)
    }
}
