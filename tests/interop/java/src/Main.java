package interop;

/** Runs every case with one version of the Java client, or is a member of a group. */
final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        Run run = new Run(arguments);
        if (run.optional("--member").isPresent()) {
            new Member(run).work(run.option("--member"));
            return;
        }
        Clients clients = new Clients(run);
        new RecordCases(run, clients).all();
        new TransactionCases(run, clients).all();
        new GroupCases(run, clients).all();
        new AdminCases(run, clients).all();
        new DescribeCases(run, clients).all();
        new OperatorCases(run, clients).all();
        clients.admin.close();
        run.done();
    }
}
