//! The incidents of a period: their journals for the pages, their documents for what is left to do.

use std::io::ErrorKind;

use serde::Serialize;

use crate::files::open::read_text;
use crate::incident::index;
use crate::postmortem::source::document;
use crate::session::{Session, store};
use liveops_domain::change::journal::Data as _;
use liveops_domain::error::Result;
use liveops_domain::incident::event::{Delivery, DeliveryState, kind};
use liveops_domain::incident::state::Incident;
use liveops_domain::postmortem::check::ActionItem;
use liveops_domain::postmortem::document::read;
use liveops_domain::report::Period;
use liveops_domain::report::incidents::{Action, IncidentFigures, Input, Page, figures};

/// The figures, and what could not be read.
#[derive(Debug, Serialize)]
pub struct IncidentsReport {
    #[serde(flatten)]
    pub period: Period,
    #[serde(flatten)]
    pub figures: IncidentFigures,
    #[serde(skip)]
    pub warnings: Vec<String>,
}

/// Measures the incidents of a period.
///
/// # Errors
/// Those of the configuration; `Io` when the folder cannot be read.
pub fn measure(cx: &Session, period: Period, service: Option<&str>) -> Result<IncidentsReport> {
    let now = cx.clock.now();
    let environment = cx.environment()?;
    let settings = &cx.config()?.settings;
    let index = index(cx)?;
    let mut warnings = index.warnings();
    let concerns =
        |one: &Incident| one.environment == environment && (service.is_none() || one.service.as_deref() == service);
    let all: Vec<Incident> = index.incidents().filter(concerns).collect();
    let store = store(cx)?;
    let (mut pages, mut actions) = (Vec::new(), Vec::new());
    for one in &all {
        // A page that woke somebody in the period may be of an incident that was opened before.
        let lasted = one.detected.at().is_some_and(|at| at < period.until) && one.last_event >= period.since;
        if lasted && one.deliveries.values().any(|delivery| delivery.page) {
            match store.log(&one.id) {
                Ok(log) => pages.extend(log.events.iter().filter_map(|event| {
                    let delivery: Delivery = (event.kind == kind::NOTIFICATION).then(|| event.data.read())??;
                    let rang = delivery.page && delivery.state == DeliveryState::Accepted;
                    rang.then(|| Page { message: format!("{}/{}", one.id, delivery.message), at: event.at })
                })),
                Err(error) => warnings.push(format!("the pages of {} are not known: {error}", one.id)),
            }
        }
        match read_text(&document(cx, &one.id)?) {
            Ok(text) => {
                let items = read(&text).items.into_iter().filter(ActionItem::is_filled_in);
                actions.extend(items.map(|item| Action::new(one.id.clone(), item, now.date_naive())));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => warnings.push(format!("the postmortem of {} cannot be read: {error}", one.id)),
        }
    }
    let schedule = settings.notify.schedule.as_ref();
    let zone = schedule.map_or(settings.incidents.severities.business_days.zone, |one| one.rota.zone);
    let input = Input { incidents: &all, pages: &pages, actions, severities: &settings.incidents.severities, zone };
    Ok(IncidentsReport { period, figures: figures(input, &period, now), warnings })
}
