package interop;

/** Runs every case with one version of the Java client. */
final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        Run run = new Run(arguments);
        Clients clients = new Clients(run);
        new RecordCases(run, clients).all();
        new GroupCases(run, clients).all();
        new AdminCases(run, clients).all();
        new DescribeCases(run, clients).all();
        clients.admin.close();
        run.done();
    }
}
