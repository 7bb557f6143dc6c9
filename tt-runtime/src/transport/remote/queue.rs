//! The queues of one Ethernet tile's firmware ([`tt_isa::eth::routing`]): commands in, answers out.
//!
//! Up to four writes are under way in a queue, and one read: the vendor's driver has never had more of them.

use tt_isa::eth::routing::{
    ADDRESS, Address, BLOCK_SIZE, BLOCKS, COMMAND_COUNT, COMMAND_SIZE, COMMANDS, DATA, FLAGS, Flags,
    POINTERS, RACK, READ_POINTER, REQUEST_QUEUE, RESPONSE_QUEUE, WRITE_POINTER, WRITES_ACKNOWLEDGED,
    WRITES_REQUESTED,
};

use super::gateway::Gateway;
use super::{Port, RemoteError};
use crate::transport::TransportError;

/// A tile's queues.
pub struct Queue {
    port: Port,
    /// Write pointer of the requests.
    write: u32,
    /// Read pointer of the requests, as last seen.
    read: u32,
    /// Read pointer of the answers.
    answered: u32,
    /// Writes may be under way.
    unsettled: bool,
}

/// A command.
#[derive(Clone, Copy)]
pub struct Command {
    pub to: Address,
    pub rack: u16,
    /// The word, or the number of bytes.
    pub data: u32,
    pub flags: Flags,
}

/// A read that has been asked for.
pub struct Asked {
    flags: Flags,
    slot: u32,
}

impl Queue {
    /// Takes the queues of a tile over from whoever had them: what he has asked for is waited for, what he has not taken is thrown away.
    ///
    /// # Errors
    /// The firmware does not come further.
    pub fn open(gateway: &mut Gateway, port: Port) -> Result<Self, TransportError> {
        let mut queue = Self { port, write: 0, read: 0, answered: 0, unsettled: true };
        queue.write = gateway.word(port, REQUEST_QUEUE + WRITE_POINTER)? % POINTERS;
        gateway.wait(port, "come to the end of its queue", |gateway| {
            let end = gateway.word(port, RESPONSE_QUEUE + WRITE_POINTER)? % POINTERS;
            if end != queue.answered {
                gateway.write(port, RESPONSE_QUEUE + READ_POINTER, &end.to_le_bytes())?;
            }
            queue.answered = end;
            queue.read = gateway.word(port, REQUEST_QUEUE + READ_POINTER)? % POINTERS;
            Ok(queue.read == queue.write)
        })?;
        let end = gateway.word(port, RESPONSE_QUEUE + WRITE_POINTER)? % POINTERS;
        gateway.write(port, RESPONSE_QUEUE + READ_POINTER, &end.to_le_bytes())?;
        queue.answered = end;
        queue.settle(gateway)?;
        Ok(queue)
    }

    /// Tile.
    pub fn port(&self) -> Port {
        self.port
    }

    /// Waits for room, and puts a command into the queue, with the bytes of its block.
    fn submit(
        &mut self,
        gateway: &mut Gateway,
        command: &Command,
        block: &[u8],
    ) -> Result<(), TransportError> {
        let port = self.port;
        let full = |write: u32, read: u32| write.wrapping_sub(read) % POINTERS >= COMMAND_COUNT;
        if full(self.write, self.read) {
            let write = self.write;
            let mut read = self.read;
            gateway.wait(port, "taken a command from its full queue", |gateway| {
                read = gateway.word(port, REQUEST_QUEUE + READ_POINTER)? % POINTERS;
                Ok(!full(write, read))
            })?;
            self.read = read;
        }
        let slot = self.write % COMMAND_COUNT;
        if !block.is_empty() {
            gateway.write(port, BLOCKS + slot * BLOCK_SIZE, block)?;
        }
        let at = REQUEST_QUEUE + COMMANDS + slot * COMMAND_SIZE;
        gateway.write(port, at, &command.bytes())?;
        self.write = (self.write + 1) % POINTERS;
        gateway.write(port, REQUEST_QUEUE + WRITE_POINTER, &self.write.to_le_bytes())
    }

    /// Has a word or a block written; it may be under way for some time.
    ///
    /// # Errors
    /// The firmware does not come further.
    pub fn write(
        &mut self,
        gateway: &mut Gateway,
        command: &Command,
        block: &[u8],
    ) -> Result<(), TransportError> {
        self.unsettled = true;
        self.submit(gateway, command, block)
    }

    /// Waits until all writes have been acknowledged by the other chip.
    ///
    /// # Errors
    /// The firmware does not come further.
    pub fn settle(&mut self, gateway: &mut Gateway) -> Result<(), TransportError> {
        if !self.unsettled {
            return Ok(());
        }
        let (port, write) = (self.port, self.write);
        gateway.wait(port, "passed on what is in its queue", |gateway| {
            Ok(gateway.word(port, REQUEST_QUEUE + READ_POINTER)? % POINTERS == write)
        })?;
        self.read = write;
        gateway.wait(port, "heard of all writes from the second chip", |gateway| {
            let [asked, done] = [WRITES_REQUESTED, WRITES_ACKNOWLEDGED]
                .map(|count| gateway.word(port, REQUEST_QUEUE + count));
            Ok(asked? == done?)
        })?;
        self.unsettled = false;
        Ok(())
    }

    /// Asks for a word or a block. The answer has to be taken before the next one is asked for.
    ///
    /// # Errors
    /// The firmware does not come further.
    pub fn ask(&mut self, gateway: &mut Gateway, command: &Command) -> Result<Asked, TransportError> {
        self.submit(gateway, command, &[])?;
        Ok(Asked { flags: command.flags, slot: self.answered % COMMAND_COUNT })
    }

    /// Takes the answer.
    ///
    /// # Errors
    /// The firmware does not come further, or answers something else.
    pub fn take(
        &mut self,
        gateway: &mut Gateway,
        asked: &Asked,
        out: &mut [u8],
    ) -> Result<(), TransportError> {
        let (port, answered) = (self.port, self.answered);
        let slot = RESPONSE_QUEUE + COMMANDS + asked.slot * COMMAND_SIZE;
        gateway.wait(port, "answered a read", |gateway| {
            Ok(gateway.word(port, RESPONSE_QUEUE + WRITE_POINTER)? % POINTERS != answered)
        })?;
        // The slot is taken first, and its flags are set when the data is there.
        let mut flags = 0;
        gateway.wait(port, "answered a read", |gateway| {
            flags = gateway.word(port, slot + FLAGS)?;
            Ok(flags != 0)
        })?;
        let answer = Flags::from_bits_retain(flags);
        let good = answer == Flags::READ_DATA | asked.flags & Flags::BLOCK;
        if good {
            let from = match asked.flags.contains(Flags::BLOCK) {
                true => BLOCKS + asked.slot * BLOCK_SIZE,
                false => slot + DATA,
            };
            gateway.read(port, from, out)?;
        }
        self.answered = (answered + 1) % POINTERS;
        gateway.write(port, RESPONSE_QUEUE + READ_POINTER, &self.answered.to_le_bytes())?;
        match answer {
            _ if good => Ok(()),
            _ if answer.contains(Flags::UNREACHABLE) => Err(RemoteError::Unreachable { port }.into()),
            _ => Err(RemoteError::Answer { port, asked: asked.flags, answer }.into()),
        }
    }
}

impl Command {
    /// As the firmware reads it.
    fn bytes(&self) -> [u8; COMMAND_SIZE as usize] {
        let mut bytes = [0; COMMAND_SIZE as usize];
        let mut put = |at: u32, data: &[u8]| bytes[at as usize..][..data.len()].copy_from_slice(data);
        put(ADDRESS, &self.to.encode().to_le_bytes());
        put(DATA, &self.data.to_le_bytes());
        put(FLAGS, &self.flags.bits().to_le_bytes());
        put(RACK, &self.rack.to_le_bytes());
        bytes
    }
}
