//! The processes of a service: its own, the one that looks whether it is ready, its finish command; and what they say.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime};

use tracing::warn;

use super::Engine;
use crate::engine::machine::{End, Event, Id};
use crate::engine::notify::Channel;
use crate::engine::pace::Pace;
use crate::engine::spawn::Attachments;
use crate::engine::spec::{By, Readiness, Service, When};
use crate::sys;

impl Engine<'_> {
    pub(super) fn launch(&mut self, id: Id) {
        let Some(service) = self.machine.service(id) else { return };
        let (socket, pipe) = match self.make_channels(service) {
            Ok(channels) => channels,
            Err(error) => {
                let why = format!("it could not say that it is ready: no channel for that: {error}");
                return self.events.push_back(Event::NotLaunched(id, why));
            }
        };
        let attachments = Attachments {
            output: self.outputs.of(service),
            notify_socket: socket.as_ref().and_then(Channel::path),
            notify_descriptor: pipe.as_ref().map(|(_, end, number)| (end.as_fd(), *number)),
        };
        match self.launcher.launch(service, attachments) {
            Ok(pid) => {
                self.events.push_back(Event::Launched(id, pid));
                let channels = socket.into_iter().chain(pipe.map(|(channel, ..)| channel));
                self.channels.extend(channels.map(|channel| (id, channel, Pace::default())));
            }
            Err(error) => self.events.push_back(Event::NotLaunched(id, error.to_string())),
        }
    }

    /// What a service says something over, if it does: a socket, and a pipe with its other end and the number of that.
    #[allow(clippy::type_complexity, reason = "for the next line only")]
    fn make_channels(&self, service: &Service) -> io::Result<(Option<Channel>, Option<(Channel, OwnedFd, i32)>)> {
        let socket = if service.notifies() {
            let runtime =
                self.runtime.ok_or_else(|| io::Error::other("there is no folder for it; add --tmpfs /run"))?;
            Some(Channel::socket(runtime, service)?)
        } else {
            None
        };
        let pipe = match service.ready {
            Some(Readiness { by: By::Descriptor(number), .. }) => {
                let (channel, end) = Channel::pipe()?;
                Some((channel, end, number))
            }
            _ => None,
        };
        Ok((socket, pipe))
    }

    /// Takes in what services have said over those of the channels that something can be heard on.
    pub(super) fn hear(&mut self, spoken: &[bool]) {
        let mut spoken = spoken.iter();
        let events = &mut self.events;
        let now = Instant::now();
        self.channels.retain_mut(|(id, channel, pace)| {
            if spoken.next() != Some(&true) {
                return true;
            }
            pace.heard(now);
            let heard = channel.hear();
            events.extend(heard.iter().flatten().map(|notice| Event::Notified(*id, notice.clone())));
            heard.is_some()
        });
    }

    /// Takes in what a service has said last, whose process has ended: that counts, and nobody has anything to add.
    pub(super) fn hear_out(&mut self, id: Id) {
        let events = &mut self.events;
        self.channels.retain(|(of, channel, _)| {
            if *of == id {
                events.extend(channel.hear().into_iter().flatten().map(|notice| Event::Notified(id, notice)));
            }
            *of != id
        });
    }

    pub(super) fn finish(&mut self, id: Id, end: &End) {
        let Some(service) = self.machine.service(id) else { return };
        let attachments = Attachments { output: self.outputs.of(service), ..Attachments::default() };
        self.events.push_back(match self.launcher.launch_finish(service, end, attachments) {
            Ok(pid) => Event::Finishing(id, pid),
            Err(error) => {
                warn!("the finish command of {} could not be started: {error}", service.name);
                Event::NotFinishing(id)
            }
        });
    }

    pub(super) fn probe(&mut self, id: Id) {
        let Some((probe, context)) = self.machine.service(id).and_then(Service::probe) else { return };
        let pid = self.launcher.fork(|| {
            sys::set_process_name(c"devinit: probe");
            probe.wait(&context);
            0
        });
        self.events.push_back(match pid {
            Ok(pid) => Event::Probing(id, pid),
            Err(_) => Event::NotProbing(id),
        });
    }
}

/// How long until a service is due that runs at set times.
pub(super) fn until_next(service: &Service) -> Option<Duration> {
    let When::At(schedule) = &service.when else { return None };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let until = schedule.until_next(i64::try_from(now.as_secs()).ok()?)?;
    Some(until.saturating_sub(Duration::from_nanos(now.subsec_nanos().into())))
}
