//! A row of slices that may nest.

use std::io::{self, Write};

use super::{
    placement::NestingLanes,
    track::{TrackId, TrackOrder},
    writer::PacketWriter,
};

/// The largest number of lanes of a row: slices that overlap without nesting are rare.
const MAX_LANES: usize = 64;

/// Slices that contain the slices they overlap. Where they do not, the row has more lanes.
#[derive(Debug)]
pub(super) struct SliceRow {
    parent: Option<TrackId>,
    name: String,
    order: TrackOrder,
    nesting: NestingLanes,
    tracks: Vec<TrackId>,
}

impl SliceRow {
    /// Creates a row whose lanes are declared below `parent` as they are needed.
    pub(super) fn new(parent: Option<TrackId>, name: String, order: TrackOrder) -> Self {
        Self {
            parent,
            name,
            order,
            nesting: NestingLanes::default(),
            tracks: Vec::new(),
        }
    }

    /// Creates a row whose first lane is a declared track; its other lanes are below that track.
    pub(super) fn on(track: TrackId, name: String, order: TrackOrder) -> Self {
        Self {
            tracks: vec![track],
            ..Self::new(Some(track), name, order)
        }
    }

    /// The track of a lane.
    pub(super) fn lane<W: Write>(
        &mut self,
        index: usize,
        out: &mut PacketWriter<W>,
    ) -> io::Result<TrackId> {
        while self.tracks.len() <= index {
            let key = self.tracks.first().map_or(0, |track| track.0);
            let lane = out.lane(self.parent, &self.name, key, self.order)?;
            self.tracks.push(lane);
        }
        Ok(self.tracks[index])
    }

    /// A track on which a slice nests; `None` when there is none left.
    pub(super) fn place<W: Write>(
        &mut self,
        from: u64,
        to: u64,
        out: &mut PacketWriter<W>,
    ) -> io::Result<Option<TrackId>> {
        match self.nesting.take(from, to, MAX_LANES) {
            Some(index) => self.lane(index, out).map(Some),
            None => Ok(None),
        }
    }
}
