//! What the moments and the stages before the hand-off are taken from.

use agent_common::{Acknowledged, BytesArrived, BytesReceived, OpenReason, Snapshot, SocketOpened};

use crate::{
    domain::SentBetween,
    join::{
        arrivals::Arrivals,
        narrowing::{ObservedArrival, StampNarrower},
        pending_acks::PendingAcks,
        window::{ReceiveWindow, WindowOffer},
    },
    streams::{StreamPositions, fix::Header},
};

/// Arrivals, window and acknowledgements of one socket, and its stream positions.
#[derive(Debug)]
pub(super) struct Moments {
    pub(super) positions: StreamPositions,
    /// When the socket was first observed, `CLOCK_MONOTONIC` ns.
    pub(super) opened_at_ns: u64,
    /// The application has received up to this position.
    pub(super) received_until: u64,
    pub(super) arrivals: Arrivals,
    pub(super) window: ReceiveWindow,
    pub(super) acks: PendingAcks,
    narrower: StampNarrower,
}

impl Moments {
    pub(super) fn new(opened: &SocketOpened) -> Self {
        let mut positions = StreamPositions::around(opened.copied_seq);
        let mut moments = Self {
            opened_at_ns: opened.at_ns,
            received_until: positions.position(opened.copied_seq),
            positions,
            arrivals: Arrivals::default(),
            window: ReceiveWindow::default(),
            acks: PendingAcks::default(),
            narrower: StampNarrower::default(),
        };
        let (end, offer) = moments.offer(opened.rcv_nxt, opened.offered, opened.min_usable);
        moments.arrivals.unobserved_until(end);
        // A connection that is observed from its first byte had an open window before.
        let from_first_byte =
            [OpenReason::Connected as u32, OpenReason::Accepted as u32].contains(&opened.reason);
        if !from_first_byte {
            moments.window.observed_from(opened.at_ns, offer);
        }
        moments.acknowledged(opened.at_ns, end, &opened.acked);
        moments
    }

    /// Records about the socket were lost: nothing that spans the loss is relied on.
    pub(super) fn events_lost(&mut self) {
        self.arrivals.events_lost();
        self.window.events_lost();
        self.acks.events_lost();
    }

    pub(super) fn bytes_arrived(&mut self, arrival: &BytesArrived) {
        let reader = arrival.reader;
        let (end, offer) = self.offer(arrival.rcv_nxt, arrival.offered, arrival.min_usable);
        self.arrivals.arrived(end, reader);
        self.acknowledged(reader.at_ns, end, &arrival.acked);
        let receiving = self.positions.position(arrival.copied_seq) != self.received_until;
        self.window.arrived(end, offer, receiving, reader);
    }

    /// The position of the last byte that `recv` handed over, and the window after it.
    pub(super) fn received(&mut self, recv: &BytesReceived) -> (u64, WindowOffer) {
        let end = self.positions.position(recv.end_seq);
        let (arrived, offer) = self.offer(recv.rcv_nxt, recv.offered, recv.min_usable);
        self.acknowledged(recv.reader.at_ns, arrived, &recv.acked);
        (end, offer)
    }

    /// The end of what has arrived, and the window behind it.
    fn offer(&mut self, rcv_nxt: u32, offered: u32, min_usable: u32) -> (u64, WindowOffer) {
        let end = self.positions.position(rcv_nxt);
        let offer = WindowOffer {
            offered_bytes: offered,
            min_usable_bytes: min_usable,
            edge: end + u64::from(offered),
        };
        (end, offer)
    }

    /// How much of the bytes up to `end` was acknowledged at `at_ns`.
    fn acknowledged(&mut self, at_ns: u64, end: u64, reading: &Acknowledged) {
        let acked = self.positions.position(reading.end_seq);
        self.acks.observe(at_ns, end, acked, reading);
    }

    /// Bounds of the instant at which a message was sent, where they are narrower than its stamp.
    pub(super) fn narrow(
        &mut self,
        header: &Header,
        arrived: Option<Snapshot>,
        utc_offset_at: impl Fn(u64) -> i64,
    ) -> Option<SentBetween> {
        let Some(arrived) = arrived else {
            self.narrower.arrival_unobserved();
            return None;
        };
        let since = self.narrower.latest_arrival_ns();
        let held_back = since.map_or(0, |at| self.window.held_back(at, &arrived).total()) > 0;
        let arrival = ObservedArrival {
            at_ns: arrived.at_ns,
            utc_offset_ns: utc_offset_at(arrived.at_ns),
            held_back,
        };
        match header.sending_time {
            Some(stamp) if !header.poss_dup => self.narrower.narrow(stamp, arrival),
            _ => {
                self.narrower.resend_arrived(arrival);
                None
            }
        }
    }
}
