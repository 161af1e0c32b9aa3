"""Transactions through clients that wait for each step: the cases are the same, the steps are each client's own."""

from result import Failed, same


class Transactions:
    """A client says what it raises when refused, and how it does these steps."""

    error: type

    def create(self, name):
        """A topic of one partition."""
        raise NotImplementedError

    def producer(self, topic, **settings):
        """A producer whose transactional id is the topic's name, ready to begin."""
        raise NotImplementedError

    def write(self, producer, topic, values):
        """Produces values to the one partition, and waits until they are stored."""
        raise NotImplementedError

    def write_plainly(self, topic, value):
        """The same outside of any transaction."""
        raise NotImplementedError

    def read_committed(self, topic, count):
        """The first values that readers of what is committed get."""
        raise NotImplementedError

    def offsets(self, topic, producer):
        """Sends offset 2 in a transaction that is committed, 3 in one that is aborted; what the group's offset is then."""
        raise NotImplementedError

    def commit(self, producer):
        producer.commit_transaction()

    def abort(self, producer):
        producer.abort_transaction()

    def close(self, producer):
        pass

    def cases(self, run):
        run.case("transaction committed", self.committed)
        run.case("transaction aborted", self.aborted)
        run.case("transaction fenced", self.fenced)
        run.case("transaction timed out", self.timed_out)
        run.case("transaction with offsets", self.with_offsets)

    def committed(self):
        topic = self.create("txn-committed")
        producer = self.producer(topic)
        for values in ([b"one", b"two"], [b"three"]):
            self._open(producer, topic, *values)
            self.commit(producer)
        self.close(producer)
        self._check(topic, b"one", b"two", b"three")

    def aborted(self):
        topic = self.create("txn-aborted")
        producer = self.producer(topic)
        self._open(producer, topic, b"dropped")
        self.abort(producer)
        self._keep(producer, topic)

    def fenced(self):
        topic = self.create("txn-fenced")
        zombie = self.producer(topic)
        self._open(zombie, topic, b"lost")
        producer = self.producer(topic)
        self._refused("commit of a producer that was replaced", zombie)
        self._keep(producer, topic)

    def timed_out(self):
        topic = self.create("txn-late")
        late = self.producer(topic, transaction_timeout_ms=3000)
        self._open(late, topic, b"late")
        self.write_plainly(topic, b"after")
        self._check(topic, b"after")
        self._refused("commit of a transaction that was aborted", late)

    def with_offsets(self):
        topic = self.create("txn-offsets")
        producer = self.producer(topic)
        same(2, self.offsets(topic, producer), "committed offset")
        self.close(producer)

    def _open(self, producer, topic, *values):
        producer.begin_transaction()
        self.write(producer, topic, values)

    def _keep(self, producer, topic):
        self._open(producer, topic, b"kept")
        self.commit(producer)
        self.close(producer)
        self._check(topic, b"kept")

    def _check(self, topic, *values):
        same(list(values), self.read_committed(topic, len(values)), "committed values")

    def _refused(self, what, producer):
        try:
            self.commit(producer)
        except self.error:
            return
        raise Failed(f"{what} was not refused")
